#include "diagnostics/compare_traces.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

struct RowDifference {
  double cosine = 1;
  double abs_error = 0;
  double relative_error = 0;
  std::uint64_t n_different = 0;
  std::uint64_t n_not_finite = 0;
  std::uint64_t n_not_finite_in_a = 0;
  std::uint64_t n_not_finite_in_b = 0;
};

RowDifference compare_rows(std::span<const float> a, std::span<const float> b) {
  RowDifference d;
  double dot = 0;
  double a_squared = 0;
  double b_squared = 0;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i];
    const double y = b[i];
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i])) ++d.n_different;
    const bool a_is_finite = std::isfinite(x);
    const bool b_is_finite = std::isfinite(y);
    if (!a_is_finite) ++d.n_not_finite_in_a;
    if (!b_is_finite) ++d.n_not_finite_in_b;
    if (!a_is_finite || !b_is_finite) ++d.n_not_finite;
    dot += x * y;
    a_squared += x * x;
    b_squared += y * y;
    d.abs_error = std::max(d.abs_error, std::abs(x - y));
    largest = std::max(largest, std::abs(y));
  }
  if (d.n_not_finite > 0) {
    d.cosine = d.abs_error = d.relative_error = std::numeric_limits<double>::quiet_NaN();
  } else if (d.abs_error > 0) {
    const double lengths = std::sqrt(a_squared) * std::sqrt(b_squared);
    d.cosine = lengths > 0 ? std::min(dot / lengths, 1.0) : 0;
    d.relative_error = largest > 0 ? d.abs_error / largest : std::numeric_limits<double>::infinity();
  }
  return d;
}

bool is_within(const RowDifference& d, const CompareThresholds& t) {
  if (d.n_not_finite > 0 || (t.exact && d.n_different > 0)) return false;
  return d.cosine >= t.min_cosine && (!t.max_abs_error || d.abs_error <= *t.max_abs_error) &&
         (!t.max_relative_error || d.relative_error <= *t.max_relative_error);
}

// NaN, once there, stays.
double larger(double a, double b) { return std::isnan(a) || b <= a ? a : b; }

void add_row(TensorComparison& c, std::size_t position, const RowDifference& d, const CompareThresholds& t) {
  if (!std::isnan(c.min_cosine) && !(d.cosine >= c.min_cosine)) {
    c.min_cosine = d.cosine;
    c.worst_position = position;
  }
  c.max_abs_error = larger(c.max_abs_error, d.abs_error);
  c.max_relative_error = larger(c.max_relative_error, d.relative_error);
  c.n_different += d.n_different;
  c.n_not_finite += d.n_not_finite;
  c.n_not_finite_in_first += d.n_not_finite_in_a;
  c.n_not_finite_in_reference += d.n_not_finite_in_b;
  if (!c.first_different && d.n_different > 0) c.first_different = position;
  if (!c.first_beyond && !is_within(d, t)) c.first_beyond = position;
}

// One step of two sequences of likeliest tokens.
struct Step {
  bool matches = false;
  double margin = 0;  // in the reference; negative: unknown
};

Step best_of(std::span<const float> a, std::span<const float> b) {
  const auto in_a = std::ranges::max_element(a) - a.begin();
  const auto in_b = std::ranges::max_element(b) - b.begin();
  float second = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (static_cast<std::ptrdiff_t>(i) != in_b) second = std::max(second, b[i]);
  }
  const float best = b[static_cast<std::size_t>(in_b)];
  return {in_a == in_b, static_cast<double>(best) - static_cast<double>(second)};
}

// `difference`: the largest of any logit; NaN: unknown.
TokenComparison judge(const std::vector<Step>& steps, std::size_t n_steps, double difference) {
  constexpr double kNearTie = 10;
  TokenComparison c;
  c.n_steps = n_steps;
  c.n_compared = steps.size();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].matches) {
      ++c.n_matched;
    } else if (steps[i].margin >= 0 && steps[i].margin <= kNearTie * difference) {
      ++c.n_near_ties;
    } else if (!c.first_mismatch) {
      c.first_mismatch = i;
    }
  }
  return c;
}

std::optional<TokenComparison> compare_greedy(const TraceInfo& a, const TraceInfo& b, bool forced,
                                              double difference) {
  const std::size_t n = std::min(a.greedy.size(), b.greedy.size());
  if (n == 0) return std::nullopt;
  std::vector<Step> steps;
  for (std::size_t i = 0; i < n; ++i) {
    const double margin = i < b.greedy_margin.size() ? b.greedy_margin[i] : -1;
    steps.push_back({a.greedy[i] == b.greedy[i], margin});
    if (!forced && !steps.back().matches) break;  // from here on they are of different texts
  }
  return judge(steps, n, difference);
}

std::string shape_of(const TraceTensor& t) {
  return "[" + std::to_string(t.rows) + ", " + std::to_string(t.cols) + "]";
}

void check_tokens(const TraceSource& first, const TraceSource& reference) {
  const std::vector<TokenId>& a = first.info().ids;
  const std::vector<TokenId>& b = reference.info().ids;
  if (a.empty() || b.empty() || a == b) return;
  const auto at = static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
  const auto id = [at](const std::vector<TokenId>& ids) {
    return at < ids.size() ? std::to_string(to_int(ids[at])) : "none";
  };
  throw ModelError(first.name(),
                   "is of other tokens than " + reference.name() + ": token " + std::to_string(at) + " is " +
                       id(a) + ", and there " + id(b),
                   "trace the same ids");
}

// Which tensor of the one is which of the other.
struct Pair {
  std::size_t first;
  std::size_t reference;
};

std::vector<Pair> pair_up(const TraceSource& first, const TraceSource& reference,
                          const std::vector<std::string>& patterns, TraceComparison& result) {
  const auto wanted = [&](const std::string& name) {
    return patterns.empty() || matches_any(name, patterns);
  };
  std::unordered_map<std::string, std::size_t> there;
  for (std::size_t i = 0; i < reference.tensors().size(); ++i) {
    if (wanted(reference.tensors()[i].name)) there.emplace(reference.tensors()[i].name, i);
  }
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < first.tensors().size(); ++i) {
    const TraceTensor& a = first.tensors()[i];
    if (!wanted(a.name)) continue;
    const auto found = there.find(a.name);
    if (found == there.end()) {
      result.only_in_first.push_back(a.name);
      continue;
    }
    const TraceTensor& b = reference.tensors()[found->second];
    const bool last_row_alone = a.rows == 1 || b.rows == 1;
    if (a.cols != b.cols || (a.rows != b.rows && !last_row_alone)) {
      throw ModelError(first.name() + ": tensor " + printable(a.name, kMaxPrintedName),
                       "is of shape " + shape_of(a) + ", and in " + reference.name() + " of " + shape_of(b),
                       "compare traces of one model and the same tokens, of all or of the last alone");
    }
    pairs.push_back({i, found->second});
    there.erase(found);
  }
  for (const TraceTensor& b : reference.tensors()) {
    if (there.contains(b.name)) result.only_in_reference.push_back(b.name);
  }
  std::ranges::stable_sort(pairs, {},
                           [&](const Pair& p) { return graph_order(first.tensors()[p.first].name); });
  return pairs;
}

void check_patterns(const TraceSource& first, const TraceSource& reference,
                    const std::vector<std::string>& patterns, const std::vector<Pair>& pairs) {
  for (const std::string& pattern : patterns) {
    const auto matches = [&](const Pair& p) {
      return matches_any(first.tensors()[p.first].name, std::span(&pattern, 1));
    };
    if (std::ranges::none_of(pairs, matches)) {
      throw UsageError("--tensors '" + pattern + "' is no tensor that " + first.name() + " and " +
                       reference.name() +
                       " both have; their names are like blk.0.attn_out, and * stands for any part");
    }
  }
  if (pairs.empty()) {
    throw ModelError(first.name(), "has no tensor of a name that is in " + reference.name() + " too",
                     "the names are those of bitnet trace: blk.0.attn_out, ..., result_norm, logits");
  }
}

}  // namespace

double TokenComparison::match_rate() const {
  return n_compared == 0 ? 1 : static_cast<double>(n_matched) / static_cast<double>(n_compared);
}

double TokenComparison::score() const {
  return n_compared == 0 ? 1 : static_cast<double>(n_matched + n_near_ties) / static_cast<double>(n_compared);
}

const TensorComparison* TraceComparison::first_different() const {
  const auto found =
      std::ranges::find_if(tensors, [](const auto& t) { return t.first_different.has_value(); });
  return found == tensors.end() ? nullptr : &*found;
}

const TensorComparison* TraceComparison::first_beyond() const {
  const auto found = std::ranges::find_if(tensors, [](const auto& t) { return t.first_beyond.has_value(); });
  return found == tensors.end() ? nullptr : &*found;
}

bool TraceComparison::identical() const {
  const auto all_match = [](const std::optional<TokenComparison>& c) {
    return !c || c->n_matched == c->n_steps;
  };
  return only_in_reference.empty() && first_different() == nullptr && all_match(positions) &&
         all_match(continuation);
}

bool TraceComparison::passes(const CompareThresholds& thresholds) const {
  const auto enough = [&](const std::optional<TokenComparison>& c) {
    return !c || c->score() >= thresholds.min_token_match;
  };
  return first_beyond() == nullptr && enough(positions) && enough(continuation) &&
         !(thresholds.exact && !only_in_reference.empty());
}

std::optional<TraceComparison> compare_traces(const TraceSource& first, const TraceSource& reference,
                                              const CompareRequest& request,
                                              const CompareProgress& progress) {
  TraceComparison result;
  check_tokens(first, reference);
  const std::vector<Pair> pairs = pair_up(first, reference, request.patterns, result);
  check_patterns(first, reference, request.patterns, pairs);
  std::vector<Step> steps;
  double logit_difference = std::numeric_limits<double>::quiet_NaN();
  std::vector<float> a;
  std::vector<float> b;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const TraceTensor& tensor = first.tensors()[pairs[i].first];
    const std::size_t rows_there = reference.tensors()[pairs[i].reference].rows;
    TensorComparison c;
    c.name = tensor.name;
    c.rows = std::min(tensor.rows, rows_there);
    c.last_row_alone = tensor.rows != rows_there;
    c.first_position = std::max(tensor.rows, rows_there) - c.rows;
    c.cols = tensor.cols;
    a.resize(tensor.cols);
    b.resize(tensor.cols);
    const TraceSource::Rows next_a = first.rows(pairs[i].first);
    const TraceSource::Rows next_b = reference.rows(pairs[i].reference);
    for (std::size_t row = c.rows; row < tensor.rows; ++row) next_a(a);  // those before the last
    for (std::size_t row = c.rows; row < rows_there; ++row) next_b(b);
    for (std::size_t row = 0; row < c.rows; ++row) {
      constexpr std::size_t kRowsBetween = 64;
      if (row % kRowsBetween == 0 && progress && !progress(i, pairs.size())) return std::nullopt;
      next_a(a);
      next_b(b);
      add_row(c, c.first_position + row, compare_rows(a, b), request.thresholds);
      if (tensor.name == "logits") steps.push_back(best_of(a, b));
    }
    if (tensor.name == "logits") logit_difference = c.max_abs_error;
    result.tensors.push_back(std::move(c));
  }
  if (!steps.empty()) result.positions = judge(steps, steps.size(), logit_difference);
  result.continuation = compare_greedy(first.info(), reference.info(), request.forced, logit_difference);
  return result;
}

}  // namespace bitnet
