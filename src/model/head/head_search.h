// The highest logits of a token, or of several at once, found without computing them all: the same rows and
// the same bits as if.
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
#include "model/head/search_input.h"
#include "model/head/search_pace.h"
#include "model/rare_rows.h"
#include "quant/tensor_type.h"

namespace bitnet {

// What searches read, all of them together.
struct HeadSearchCounts {
  std::uint64_t searches = 0;
  std::uint64_t whole = 0;  // of them, those that computed every row: asked for much, or no bound was usable
  std::uint64_t wide = 0;   // of the others, those that began with five bits of every row or more
  // Rows of the others, by what was read of them beyond that: each of the single bits, everything.
  std::array<std::uint64_t, kernels::kBitPlanes> bits{};
  std::uint64_t full = 0;
  std::uint64_t most_full = 0;  // in one search
  std::uint64_t bytes = 0;      // of the head and its screen
};

// What one search of several is for.
struct HeadQuery {
  CandidateQuery query;
  const float* x = nullptr;  // [cols], finite or not
  std::span<float> logits;  // [rows] working memory, holds the logits of what was computed in full afterwards
};

// The working memory of searches in one head, made once.
class HeadSearch {
 public:
  static constexpr std::size_t kMostTogether = 8;

  // Ascending order of ids, each once, valid until the next call of find(); nullopt where the search cannot
  // work or isn't worth it: the caller then computes all logits.
  using Found = std::optional<std::span<const Candidate>>;

  // Without a screen find() finds nothing. head_rows: how few rows of the head are read, if it is given.
  // Throws RuntimeError when the memory cannot be had.
  HeadSearch(const quant::Matrix& head, const HeadScreen* screen, const kernels::Kernels& kernels,
             ThreadPool& pool, const RareRows* head_rows = nullptr);

  // What `query` asks for. logits: as in HeadQuery.
  Found find(const CandidateQuery& query, const float* x, std::span<float> logits);
  // The same for up to kMostTogether inputs, of which the screen is read once; found[i]: of queries[i].
  void find(std::span<const HeadQuery> queries, std::span<Found> found);
  // The same from all logits: [rows]. If any of them isn't finite the result is one candidate that isn't.
  // Valid until the next call of this; so is what find() gave.
  std::span<const Candidate> choose_from_all(const CandidateQuery& query, std::span<const float> logits);

  // Since the last call.
  HeadSearchCounts take_counts() { return std::exchange(counts_, {}); }

 private:
  // The state of one search.
  struct Search {
    const HeadQuery* asked = nullptr;
    SearchInput in;
    float least = 0;  // a logit that all that is asked for reaches
    std::size_t n_computed = 0;
    Buffer<float> estimate;     // [rows]
    Buffer<float> bound;        // [rows] that the logit doesn't exceed; -infinity: it is known
    Buffer<float> block_best;   // [n_blocks] highest estimate
    Buffer<float> block_bound;  // [n_blocks] highest bound
    // The rows that remain of the blocks that a thread claimed together, at the beginning of the first, which
    // alone has a number of them.
    Buffer<std::uint32_t> listed;    // [rows]
    Buffer<std::uint32_t> n_listed;  // [n_blocks]
    Buffer<std::uint32_t> best;      // [rows] those that are computed in full: n_computed at first
    Buffer<Candidate> found;         // [rows]
  };
  // Rows to compute for each of the searches.
  using RowLists = std::array<std::span<const std::uint32_t>, kMostTogether>;

  bool is_worthwhile(const CandidateQuery& query);
  void open(std::span<const HeadQuery> queries);
  std::span<Search* const> open_searches() const { return {open_.data(), n_open_}; }
  void estimate_all();
  void estimate(std::size_t begin, std::size_t end) const;
  // Of the codes in the bits that searches begin with, and what comes off them.
  float weight_at_first() const { return static_cast<float>(8U >> n_bits_); }
  float middle_at_first() const { return 64 - weight_at_first() / 2; }
  void multiply_planes(std::size_t row, std::size_t end_row,
                       std::span<const kernels::DigitProduct> products) const;
  void take_best_estimates(Search& search) const;
  void compute(const RowLists& lists);
  void compute_part(const RowLists& lists, std::size_t begin, std::size_t end, std::byte* copies) const;
  void compute_rows(const Search& search, std::span<const std::uint32_t> rows, std::byte* copies) const;
  static void find_least(Search& search);
  void list_others(std::span<std::size_t> n_left);
  void complete_screen(std::span<std::size_t> n_left);
  double part_left_by_upper(const Search& search) const;
  std::size_t add_reaching(const Search& search, std::size_t block, std::uint32_t* list, std::size_t n) const;
  std::size_t add_low_digits(const Search& search, std::uint32_t* list, std::size_t n) const;
  void bring_near(std::uint32_t row) const;
  std::size_t keep_reaching(const Search& search, std::uint32_t row, float error,
                            const kernels::Estimator& with, std::uint32_t* list, std::size_t n_kept) const;
  std::size_t refine(const Search& search, std::size_t bit, std::uint32_t* list, std::size_t n) const;
  std::span<const std::uint32_t> add_listed(const Search& search) const;

  quant::Matrix head_;  // [rows, cols]
  const HeadScreen* screen_;
  const kernels::Kernels& kernels_;
  ThreadPool& pool_;
  const RareRows* head_rows_;
  SearchPace pace_;
  HeadSearchCounts counts_;
  std::size_t n_blocks_ = 0;        // of kRows rows
  std::size_t full_row_bytes_ = 0;  // of a row of the head
  std::size_t n_planes_ = 0;        // of single bits, that the screen has
  std::size_t n_bits_ = 0;          // of them those of every row that open searches begin with
  Buffer<std::byte> copies_;        // of the rows that are computed in full, if they are copied
  Buffer<std::int8_t> digits_;      // [kMostTogether, 2, screen's padded cols] high, low
  std::array<Search, kMostTogether> searches_;
  Search of_all_;                              // for choose_from_all(): best and found
  std::array<Search*, kMostTogether> open_{};  // n_open_ of them
  std::size_t n_open_ = 0;
};

}  // namespace bitnet
