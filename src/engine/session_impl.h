// What is behind a Session.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "bitnet/session.h"
#include "engine/draft_pace.h"
#include "engine/runner.h"
#include "model/head/head_search.h"

namespace bitnet {

struct Session::Impl : Runner {
  // options.backend is not looked at: the table is given.
  Impl(const Model& model, const SessionOptions& options, const kernels::Kernels& table);
  Impl(const Model& model, const SessionOptions& options, const kernels::Kernels& table,
       std::size_t n_positions);

  // Runs tokens chunk by chunk; after each chunk calls done(first token of the chunk, its size), and inside
  // one within(first token, its size, layers done). Both return whether to go on.
  template <typename Done, typename Within>
  void run_chunks(std::span<const TokenId> tokens, Done done, Within within);
  // The row of the activations that the token `n_back` before the last of the sequence has. Throws UsageError
  // where there is none.
  std::size_t row_of(std::size_t n_back) const;
  // False, and nothing happens, where the last pass has no more than n tokens.
  bool take_back(std::size_t n) noexcept;
  // What is asked for after the first of n_rows rows of the activations; the others are searched for
  // together with it, for when the same is asked after them.
  HeadSearch::Found search_from(std::size_t row, std::size_t n_rows, const CandidateQuery& query);

  std::size_t ctx_size;
  std::size_t position = 0;
  std::size_t last_row = 0;  // of the activations: the last token that was run
  bool has_last = false;     // whether that is the last of the sequence
  // Rows of the activations whose logits are in act.logits.
  std::size_t first_computed = 0;
  std::size_t n_computed = 0;
  // Rows that were searched for with found_query.
  static constexpr std::size_t kSearchedRows = std::min(HeadSearch::kMostTogether, Activations::kHeadTokens);
  std::size_t first_found = 0;
  std::size_t n_found = 0;
  CandidateQuery found_query;
  std::array<HeadSearch::Found, kSearchedRows> found;
  DraftPace draft_pace;
};

}  // namespace bitnet
