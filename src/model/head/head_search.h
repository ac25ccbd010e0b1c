// The highest logits of one token, found without computing them all: the same rows and the same bits as if.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "bitnet/candidates.h"
#include "kernels/kernels.h"
#include "model/head/head_screen.h"
#include "quant/tensor_type.h"

namespace bitnet {

// What searches read, all of them together.
struct HeadSearchCounts {
  std::uint64_t searches = 0;
  std::uint64_t whole = 0;  // of them, those that computed every row: asked for much, or no bound was usable
  std::uint64_t wide = 0;   // of the others, those that began with five bits of every row
  // Rows of the others, by what was read of them beyond that: each of the single bits, everything.
  std::array<std::uint64_t, kernels::kBitPlanes> bits{};
  std::uint64_t full = 0;
  std::uint64_t most_full = 0;  // in one search
  std::uint64_t bytes = 0;      // of the head and its screen
};

// The working memory of searches in one head, made once.
class HeadSearch {
 public:
  // Without a screen find() finds nothing. Throws RuntimeError when the memory cannot be had.
  HeadSearch(const quant::Matrix& head, const HeadScreen* screen, const kernels::Kernels& kernels,
             ThreadPool& pool);

  // What `query` asks for in ascending order of ids, each once, valid until the next call; nullopt where the
  // search cannot work or isn't worth it: the caller then computes all logits. x: [cols], finite or not.
  // logits: [rows], working memory that afterwards holds the logits of what was computed in full.
  std::optional<std::span<const Candidate>> find(const CandidateQuery& query, const float* x,
                                                 std::span<float> logits);
  // The same from all logits: [rows]. If any of them isn't finite the result is one candidate that isn't.
  std::span<const Candidate> choose_from_all(const CandidateQuery& query, std::span<const float> logits);

  // Since the last call.
  HeadSearchCounts take_counts() { return std::exchange(counts_, {}); }

 private:
  struct Input;  // what is known of x

  bool screens(const CandidateQuery& query, const float* x, Input& in);
  void estimate_all(const Input& in);
  std::size_t take_best_estimates(const CandidateQuery& query);
  void compute(std::span<const std::uint32_t> rows, const float* x, std::span<float> logits) const;
  float least_wanted(const CandidateQuery& query, std::span<const std::uint32_t> computed,
                     std::span<const float> logits);
  std::size_t list_others(const Input& in, float least);
  void pace_by_upper(std::size_t n_rows);
  std::size_t add_reaching(std::size_t block, float least, std::uint32_t* list, std::size_t n) const;
  std::size_t refine(const Input& in, float least, std::size_t bit, std::uint32_t* list, std::size_t n);
  std::span<const std::uint32_t> compute_listed(std::size_t n_computed, const float* x,
                                                std::span<float> logits);
  std::span<const Candidate> choose(const CandidateQuery& query, std::span<const std::uint32_t> rows,
                                    std::span<const float> logits);

  quant::Matrix head_;  // [rows, cols]
  const HeadScreen* screen_;
  const kernels::Kernels& kernels_;
  ThreadPool& pool_;
  HeadSearchCounts counts_;
  std::size_t n_blocks_ = 0;  // of kRows rows
  // How the next searches go: so many of them begin with five bits; so many of those that ask for at least
  // left_out_from_ rows are left out.
  std::uint32_t n_wide_ = 0;
  double left_by_upper_ = 0;  // part of the rows, an average of the last searches
  std::uint32_t n_left_out_ = 0;
  std::size_t left_out_from_ = 0;
  Buffer<std::int8_t> digits_;  // [2, screen's padded cols] high, low
  Buffer<float> estimate_;      // [rows]
  Buffer<float> bound_;         // [rows] that the logit doesn't exceed; -infinity: it is known
  Buffer<float> block_best_;    // [n_blocks] highest estimate
  Buffer<float> block_bound_;   // [n_blocks] highest bound
  // The rows that remain of the blocks that a thread claimed together, at the beginning of the first, which
  // alone has a number of them.
  Buffer<std::uint32_t> listed_;    // [rows]
  Buffer<std::uint32_t> n_listed_;  // [n_blocks]
  Buffer<std::uint32_t> best_;      // [rows] those that are computed in full
  Buffer<Candidate> found_;         // [rows]
  std::size_t full_row_bytes_ = 0;  // of a row of the head
};

}  // namespace bitnet
