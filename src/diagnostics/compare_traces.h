// Two traces held against each other: which tensor differs first, by how much, and whether that is allowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diagnostics/trace_file.h"

namespace bitnet {

struct CompareThresholds {
  double min_cosine = 0.998;  // at every position; what the f16 cache and other engines' roundings cost
  std::optional<double> max_abs_error = std::nullopt;
  std::optional<double> max_relative_error = std::nullopt;
  double min_token_match = 1;  // of the greedy tokens that are no near-ties
  bool exact = false;          // the same bits, of every value
};

// A tensor of both. A position is a row; relative errors are of the position's largest reference value. Where
// one side has a row for each token and the other a single one, that is the last token's: most engines give
// the logits of that alone.
struct TensorComparison {
  std::string name;
  std::size_t rows = 0;            // compared
  std::size_t first_position = 0;  // of the first of them
  bool last_row_alone = false;     // of the rows of one side
  std::size_t cols = 0;
  double min_cosine = 1;  // NaN where a value is not finite, and so the errors
  double max_abs_error = 0;
  double max_relative_error = 0;
  std::size_t worst_position = 0;  // where the cosine is lowest
  std::uint64_t n_different = 0;   // values that have not the same bits
  std::uint64_t n_not_finite = 0;  // values that are NaN or infinite in either
  std::uint64_t n_not_finite_in_first = 0;
  std::uint64_t n_not_finite_in_reference = 0;
  std::optional<std::size_t> first_different;  // position
  std::optional<std::size_t> first_beyond;     // position beyond the thresholds
};

// The likeliest token of each step in both.
struct TokenComparison {
  std::size_t n_steps = 0;     // there are
  std::size_t n_compared = 0;  // fewer where both went on differently
  std::size_t n_matched = 0;
  // Of those that do not match: the reference's best two logits are closer together there than ten times what
  // any logit differs by, so either may win.
  std::size_t n_near_ties = 0;
  std::optional<std::size_t> first_mismatch;  // that is no near-tie

  double match_rate() const;  // of all that were compared
  double score() const;       // the same without near-ties: what the threshold is for
};

struct TraceComparison {
  std::vector<TensorComparison> tensors;  // in the order of the graph
  std::vector<std::string> only_in_first;
  std::vector<std::string> only_in_reference;
  std::optional<TokenComparison> positions;     // the best logit of each position
  std::optional<TokenComparison> continuation;  // the greedy tokens

  // nullptr: there is none.
  const TensorComparison* first_different() const;
  const TensorComparison* first_beyond() const;
  bool identical() const;  // all that was compared, and that is all of the reference
  // With `exact` a tensor of the reference that has no counterpart does not pass either.
  bool passes(const CompareThresholds& thresholds) const;
};

struct CompareRequest {
  std::vector<std::string> patterns;  // names to compare; empty: all
  CompareThresholds thresholds;
  bool forced = false;  // the first's continuation is of steps that each follow the reference's tokens
};

// Called before each tensor; returns whether to go on.
using CompareProgress = std::function<bool(std::size_t n_done, std::size_t n_tensors)>;

// nullopt when `progress` stopped it. Throws ModelError when there is nothing to compare: other tokens, other
// shapes, no name in common; UsageError for a pattern that no common name matches.
std::optional<TraceComparison> compare_traces(const TraceSource& first, const TraceSource& reference,
                                              const CompareRequest& request, const CompareProgress& progress);

}  // namespace bitnet
