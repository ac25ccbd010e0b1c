// The highest logits of one token, found without computing them all: the same rows and the same bits as if.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "bitnet/candidates.h"
#include "kernels/kernels.h"
#include "model/head_screen.h"
#include "quant/tensor_type.h"

namespace bitnet {

// What searches read, all of them together.
struct HeadSearchCounts {
  std::uint64_t searches = 0;
  std::uint64_t whole =
      0;  // of them, those that computed every row: asked for much, or without a usable bound
  // Rows of the others, by what was read of them; `four` isn't counted, it is all rows each time.
  std::uint64_t one = 0;
  std::uint64_t two = 0;
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
  void refine(const Input& in, const float* x, float least, std::span<float> logits);
  std::span<const std::uint32_t> gather();
  std::span<const Candidate> choose(const CandidateQuery& query, std::span<const std::uint32_t> rows,
                                    std::span<const float> logits);

  quant::Matrix head_;  // [rows, cols]
  const HeadScreen* screen_;
  const kernels::Kernels& kernels_;
  ThreadPool& pool_;
  HeadSearchCounts counts_;
  std::size_t n_blocks_ = 0;        // of kRows rows
  Buffer<std::int8_t> digits_;      // [2, screen's padded cols] high, low
  Buffer<float> estimate_;          // [rows]
  Buffer<float> block_best_;        // [n_blocks] highest estimate
  Buffer<std::uint32_t> listed_;    // [rows] each block's remaining rows at its beginning
  Buffer<std::uint32_t> n_one_;     // [n_blocks] how many reached the second plane,
  Buffer<std::uint32_t> n_two_;     // [n_blocks] the third,
  Buffer<std::uint32_t> n_full_;    // [n_blocks] the full computation
  Buffer<std::uint32_t> best_;      // [rows]
  Buffer<Candidate> found_;         // [rows]
  std::size_t full_row_bytes_ = 0;  // of a row of the head
};

}  // namespace bitnet
