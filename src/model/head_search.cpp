// Which rows are computed in full, and why no other can matter.
//
// Let w be a row of the head and x the input. The screen holds w with its columns divided by powers of two,
// and x is multiplied by them: the same products, no rounding. From here on w and x are these. Let w' be what
// the planes hold of w, e = |w - w'|; x' the value of x's digits, d = |x - x'|. By the inequality of Cauchy
// and Schwarz
//
//   |w.x - w'.x'| = |(w - w').x' + w.(x - x')| <= e |x'| + |w| d <= e (|x| + d) + |w| d.
//
// The estimate is w'.x' but for roundings. With codes c = w' / scale + b, 0 <= c <= 127, it is scale times
// (sum of c x' less b times the sum of x'). Both sums are of magnitudes up to 127 |x'| sqrt(n), and scale is
// 3 / 63.5 |w| / sqrt(n); the kernels' 2^-21 and a handful of roundings come to less than 128 2^-24 |w|
// |x'|.
//
// The logit is w.x in floats: n / 16 fused multiply-adds in each lane and four folds, which err by at most
// (n / 16 + 5) 2^-24 |w| |x| (N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
// section 3.1, and Cauchy-Schwarz again). So the logit is at most
//
//   estimate + e (|x| + d) + |w| (d + g |x|) + tiny
//
// where g has room for the roundings of this sum and of the estimates, and `tiny` for results below the
// smallest normal float. Rows computed in full from the best estimates give a logit that the worst of those
// asked for reaches; a row whose bound stays below it is not among them.
//
// Searches differ only in what they read: with one plane of every row or two at first, or not at all where
// the last ones showed that they cost more than computing every row. What is found is always the same.
#include "model/head_search.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

namespace bitnet {
namespace {

constexpr std::size_t kRows = 256;  // in a block: what a thread claims, and 1 KiB of sums
constexpr std::size_t kBlocksAtATime = 2;
constexpr std::size_t kComputedRows = 4;  // that a thread claims where few are computed in full
constexpr std::size_t kLineBytes = 64;
constexpr double kSlack = 1 + 0x1p-20;  // for bounds that are computed in floats
constexpr double kMostDigits = 32512;   // 256 * 127: both digits stay in [-128, 127]
// Outside of these a float's range comes near; all rows are computed.
constexpr float kLeastInput = 1e-30F;
constexpr float kMostInput = 1e30F;
constexpr double kMostLogit = 1e37;
// Asking for more than this part of the rows isn't worth a search.
constexpr std::size_t kWorthwhile = 8;
// A search that leaves more than this part of the rows costs more than none: the next ones are left out.
constexpr std::size_t kTooMany = 3;
// With more than this part of the rows left by the upper plane, both planes of all rows are read faster than
// the middle plane of those; the next searches begin with both.
constexpr double kManyOfUpper = 0.35;
constexpr std::uint32_t kSearchesUntilNextTry = 32;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool outranks(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : to_int(a.id) < to_int(b.id);
}

float round_up(double x) { return std::nextafter(static_cast<float>(x), kInfinity); }

// For reading soon, into the second cache.
inline void ask_for(const void* data, std::size_t n_bytes) {
  const auto* bytes = static_cast<const char*>(data);
  for (std::size_t at = 0; at < n_bytes; at += kLineBytes) __builtin_prefetch(bytes + at, 0, 2);
}

}  // namespace

struct HeadSearch::Input {
  kernels::Digits digits{};
  float digit_sum = 0;
  float unit = 0;     // of the digits
  bool wide = false;  // begins with two planes
  // estimate + error_weight * e + norm_weight * |w| + tiny is a bound of the logit.
  float error_weight = 0;
  float norm_weight = 0;
  float tiny = 0;

  // For sums of a plane's codes times digits. weight: of the codes; middle: what comes off them.
  kernels::Estimator estimator(float weight, float middle) const {
    return {unit * weight, unit * middle * digit_sum, error_weight, norm_weight, tiny};
  }
};

HeadSearch::HeadSearch(const quant::Matrix& head, const HeadScreen* screen, const kernels::Kernels& kernels,
                       ThreadPool& pool)
    : head_(head),
      screen_(screen),
      kernels_(kernels),
      pool_(pool),
      n_blocks_((head.rows + kRows - 1) / kRows),
      best_(head.rows, "the search for the best logits"),
      found_(head.rows, "the search for the best logits") {
  full_row_bytes_ = quant::info(head.type).n_bytes(1, head.cols);
  if (screen == nullptr) return;
  constexpr const char* kPurpose = "the search in the LM head's screen";
  digits_ = Buffer<std::int8_t>(2 * screen->n_blocks * kernels::kScreenBlock, kPurpose);
  estimate_ = Buffer<float>(head.rows, kPurpose);
  bound_ = Buffer<float>(head.rows, kPurpose);
  block_best_ = Buffer<float>(n_blocks_, kPurpose);
  block_bound_ = Buffer<float>(n_blocks_, kPurpose);
  listed_ = Buffer<std::uint32_t>(head.rows, kPurpose);
  n_middle_ = Buffer<std::uint32_t>(n_blocks_, kPurpose);
  n_lower_ = Buffer<std::uint32_t>(n_blocks_, kPurpose);
  n_full_ = Buffer<std::uint32_t>(n_blocks_, kPurpose);
}

std::optional<std::span<const Candidate>> HeadSearch::find(const CandidateQuery& query, const float* x,
                                                           std::span<float> logits) {
  assert(logits.size() == head_.rows && query.n_best > 0);
  if (n_left_out_ > 0 && query.n_best >= left_out_from_) {
    --n_left_out_;
    return std::nullopt;
  }
  Input in;
  if (!screens(query, x, in)) return std::nullopt;
  in.wide = n_wide_ > 0;
  if (in.wide) --n_wide_;
  estimate_all(in);
  const std::size_t n_computed = take_best_estimates(query);
  const auto computed = best_.span().first(n_computed);
  pool_.parallel_for(computed.size(), kComputedRows, [&](std::size_t begin, std::size_t end) {
    compute(computed.subspan(begin, end - begin), x, logits);
  });
  for (const std::uint32_t row : computed) bound_[row] = -kInfinity;
  const std::size_t n_others = list_others(in, least_wanted(query, computed, logits));
  if (n_others > head_.rows / kTooMany) {
    n_left_out_ = kSearchesUntilNextTry;
    left_out_from_ = query.n_best;
    return std::nullopt;
  }
  ++counts_.searches;
  return choose(query, compute_listed(n_computed, x, logits), logits);
}

std::span<const Candidate> HeadSearch::choose_from_all(const CandidateQuery& query,
                                                       std::span<const float> logits) {
  ++counts_.searches;
  ++counts_.whole;
  counts_.bytes += head_.rows * full_row_bytes_;
  for (std::size_t row = 0; row < head_.rows; ++row) {
    if (std::isfinite(logits[row])) continue;
    found_[0] = {TokenId{static_cast<std::int32_t>(row)}, logits[row]};
    return found_.span().first(1);
  }
  std::iota(best_.span().begin(), best_.span().end(), 0U);
  return choose(query, best_.span(), logits);
}

// Fills `in`; false where the search cannot work or isn't worth it.
bool HeadSearch::screens(const CandidateQuery& query, const float* x, Input& in) {
  if (screen_ == nullptr || query.n_best + query.also.size() > head_.rows / kWorthwhile) return false;
  const std::size_t n = head_.cols;
  float largest = 0;
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i])) return false;
    const float scaled = x[i] * screen_->column_scale[i];
    largest = std::max(largest, std::abs(scaled));
    squares += static_cast<double>(scaled) * static_cast<double>(scaled);
  }
  if (largest < kLeastInput || largest > kMostInput) return false;

  std::int8_t* high = digits_.data();
  std::int8_t* low = high + digits_.size() / 2;
  in.digits = {high, low};
  const double units = kMostDigits / static_cast<double>(largest);
  const double unit = 1 / units;
  std::int64_t digit_sum = 0;
  double lost = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double value = static_cast<double>(x[i]) * static_cast<double>(screen_->column_scale[i]);
    const auto whole = static_cast<std::int32_t>(std::lrint(value * units));
    const std::int32_t upper = (whole + 128) >> 8;
    high[i] = static_cast<std::int8_t>(upper);
    low[i] = static_cast<std::int8_t>(whole - 256 * upper);
    digit_sum += whole;
    const double difference = value - whole * unit;
    lost += difference * difference;
  }
  in.unit = static_cast<float>(unit);
  in.digit_sum = static_cast<float>(digit_sum);
  // Doubles err by some 2^-40 of these at most.
  const double norm = std::sqrt(squares) * (1 + 0x1p-30);
  const double d = std::sqrt(lost) * (1 + 0x1p-30) + norm * 0x1p-40;
  const std::size_t n_steps = n / 16;
  const double g = (static_cast<double>(n_steps) + 256) * 0x1p-24;
  in.error_weight = round_up((norm + d) * kSlack);
  in.norm_weight = round_up((d + g * norm) * kSlack);
  in.tiny = round_up(static_cast<double>(n) * 0x1p-140);
  return static_cast<double>(screen_->largest) * (norm + d) < kMostLogit;
}

void HeadSearch::estimate_all(const Input& in) {
  const HeadScreen& screen = *screen_;
  const std::span<const float> error = in.wide ? screen.rows.error_middle : screen.rows.error_upper;
  const kernels::Estimator estimator = in.wide ? in.estimator(4, 62) : in.estimator(8, 60);
  pool_.parallel_for(n_blocks_, kBlocksAtATime, [&](std::size_t begin, std::size_t end) {
    std::array<float, kRows> sums;
    for (std::size_t block = begin; block < end; ++block) {
      const std::size_t first = block * kRows;
      const std::size_t n = std::min(kRows, head_.rows - first);
      const float* const about_rows[] = {&screen.rows.scale[first], &error[first], &screen.rows.norm[first]};
      for (const float* of_row : about_rows) ask_for(of_row, n * sizeof(float));
      if (in.wide) {
        kernels_.upper_two_products(screen.planes, first, first + n, in.digits, sums.data());
      } else {
        kernels_.upper_products(screen.planes.upper, first, first + n, in.digits, sums.data());
      }
      kernels::Estimates estimates{&estimate_[first], &bound_[first], 0, 0};
      kernels_.estimate_rows(estimator, sums.data(), about_rows[0], about_rows[1], about_rows[2], n,
                             &estimates);
      block_best_[block] = estimates.best;
      block_bound_[block] = estimates.highest;
    }
  });
}

// The rows of the highest estimates and those of query.also, in ascending order in best_. Some more than are
// asked for: their logits make a better limit than their estimates' order.
std::size_t HeadSearch::take_best_estimates(const CandidateQuery& query) {
  const std::size_t wanted = std::min(query.n_best + query.n_best / 4 + 4, head_.rows);
  const auto ranks_higher = [&](std::uint32_t a, std::uint32_t b) { return estimate_[a] > estimate_[b]; };
  // A heap with the worst of the best on top; whole blocks are passed over.
  std::size_t n = 0;
  for (std::size_t block = 0; block < n_blocks_; ++block) {
    if (n == wanted && block_best_[block] <= estimate_[best_[0]]) continue;
    const std::size_t end = std::min((block + 1) * kRows, head_.rows);
    for (std::size_t row = block * kRows; row < end; ++row) {
      if (n == wanted) {
        if (estimate_[row] <= estimate_[best_[0]]) continue;
        std::pop_heap(best_.data(), best_.data() + n--, ranks_higher);
      }
      best_[n++] = static_cast<std::uint32_t>(row);
      std::push_heap(best_.data(), best_.data() + n, ranks_higher);
    }
  }
  for (const TokenId id : query.also) {
    const auto row = static_cast<std::uint32_t>(to_index(id));
    if (to_index(id) < head_.rows && n < head_.rows) best_[n++] = row;
  }
  std::sort(best_.data(), best_.data() + n);
  return static_cast<std::size_t>(std::unique(best_.data(), best_.data() + n) - best_.data());
}

// Rows in ascending order; neighbours go to the kernel together.
void HeadSearch::compute(std::span<const std::uint32_t> rows, const float* x, std::span<float> logits) const {
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t n = 1;
    while (i + n < rows.size() && rows[i + n] == rows[i] + n) ++n;
    kernels_.matmul_float(head_, rows[i], rows[i] + n, {x, head_.cols}, 1, {logits.data(), head_.rows});
    i += n;
  }
}

// A logit that all that is asked for reaches, from those that are known.
float HeadSearch::least_wanted(const CandidateQuery& query, std::span<const std::uint32_t> computed,
                               std::span<const float> logits) {
  const std::span known = found_.span().first(computed.size());
  std::ranges::transform(computed, known.begin(), [&](std::uint32_t row) {
    return Candidate{TokenId{static_cast<std::int32_t>(row)}, logits[row]};
  });
  const auto last = known.begin() + static_cast<std::ptrdiff_t>(query.n_best - 1);
  std::ranges::nth_element(known, last, outranks);
  if (!query.within) return last->logit;
  const float best = std::ranges::min_element(known, outranks)->logit;
  return std::min(last->logit, best - *query.within);
}

// Leaves in listed_ and n_full_ the rows beside those already computed whose logits may reach `least`; says
// how many they are.
std::size_t HeadSearch::list_others(const Input& in, float least) {
  pool_.parallel_for(n_blocks_, kBlocksAtATime, [&](std::size_t begin, std::size_t end) {
    // What the next block needs of the planes comes while this one is worked on.
    list_block(in, least, begin);
    for (std::size_t block = begin; block < end; ++block) {
      if (block + 1 < end) list_block(in, least, block + 1);
      refine_block(in, least, block);
    }
  });
  std::size_t n_middle = 0;
  std::size_t n_lower = 0;
  std::size_t n_full = 0;
  for (std::size_t block = 0; block < n_blocks_; ++block) {
    n_middle += n_middle_[block];
    n_lower += n_lower_[block];
    n_full += n_full_[block];
  }
  const kernels::Planes& planes = screen_->planes;
  const std::size_t of_all = planes.upper.row_bytes + (in.wide ? planes.middle.row_bytes : 0);
  counts_.wide += in.wide ? 1 : 0;
  counts_.middle += n_middle;
  counts_.lower += n_lower;
  counts_.bytes += head_.rows * (of_all + 3 * sizeof(float)) + n_middle * planes.middle.row_bytes +
                   n_lower * planes.lower.row_bytes;
  if (static_cast<double>(n_middle) > kManyOfUpper * static_cast<double>(head_.rows))
    n_wide_ = kSearchesUntilNextTry;
  return n_full;
}

// Lists the rows whose bounds reach `least`, and asks for their codes.
void HeadSearch::list_block(const Input& in, float least, std::size_t block) {
  std::uint32_t n = 0;
  if (block_bound_[block] >= least) {
    const std::size_t first = block * kRows;
    std::uint32_t* list = listed_.data() + first;
    for (std::size_t row = first; row < std::min(first + kRows, head_.rows); ++row) {
      list[n] = static_cast<std::uint32_t>(row);
      n += bound_[row] >= least ? 1 : 0;
    }
    const kernels::Plane& plane = in.wide ? screen_->planes.lower : screen_->planes.middle;
    for (std::uint32_t i = 0; i < n; ++i) ask_for(plane.codes + list[i] * plane.row_bytes, plane.row_bytes);
  }
  n_middle_[block] = in.wide ? 0 : n;
  n_lower_[block] = n_full_[block] = n;
}

// Adds the planes that were not read yet to the estimates of the listed rows, one after the other, and keeps
// those that may still reach `least`.
void HeadSearch::refine_block(const Input& in, float least, std::size_t block) {
  const HeadScreen& screen = *screen_;
  std::uint32_t* list = listed_.data() + block * kRows;
  std::uint32_t n = n_full_[block];
  std::array<float, kRows> sums;
  const auto refine = [&](const kernels::Estimator& with, std::span<const float> error) {
    std::uint32_t kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint32_t row = list[i];
      estimate_[row] += screen.rows.scale[row] * (with.weight * sums[i] - with.offset);
      const float slack =
          with.error_weight * error[row] + (with.norm_weight * screen.rows.norm[row] + with.tiny);
      list[kept] = row;
      kept += estimate_[row] + slack >= least ? 1 : 0;
    }
    n = kept;
  };
  if (!in.wide) {
    kernels_.middle_products(screen.planes.middle, list, n, in.digits, sums.data());
    refine(in.estimator(4, 2), screen.rows.error_middle);
    n_lower_[block] = n;
  }
  kernels_.lower_products(screen.planes.lower, list, n, in.digits, sums.data());
  refine(in.estimator(1, 1.5F), screen.rows.error_lower);
  n_full_[block] = n;
}

// Adds the rows in listed_ to the n_computed in best_; returns them all.
std::span<const std::uint32_t> HeadSearch::compute_listed(std::size_t n_computed, const float* x,
                                                          std::span<float> logits) {
  std::size_t n = n_computed;
  for (std::size_t block = 0; block < n_blocks_; ++block) {
    const std::uint32_t* list = listed_.data() + block * kRows;
    std::copy(list, list + n_full_[block], best_.data() + n);
    n += n_full_[block];
  }
  const std::span listed = best_.span().subspan(n_computed, n - n_computed);
  pool_.parallel_for(listed.size(), kComputedRows, [&](std::size_t begin, std::size_t end) {
    compute(listed.subspan(begin, end - begin), x, logits);
  });
  counts_.bytes += n * full_row_bytes_;
  counts_.full += n;
  counts_.most_full = std::max<std::uint64_t>(counts_.most_full, n);
  return best_.span().first(n);
}

std::span<const Candidate> HeadSearch::choose(const CandidateQuery& query,
                                              std::span<const std::uint32_t> rows,
                                              std::span<const float> logits) {
  const auto candidate = [&](std::uint32_t row) {
    return Candidate{TokenId{static_cast<std::int32_t>(row)}, logits[row]};
  };
  std::span kept = found_.span().first(rows.size());
  std::ranges::transform(rows, kept.begin(), candidate);
  if (query.n_best < kept.size()) {
    const auto end_of_best = kept.begin() + static_cast<std::ptrdiff_t>(query.n_best);
    std::ranges::nth_element(kept, end_of_best, outranks);
    auto end = end_of_best;
    if (query.within) {
      const float best = std::min_element(kept.begin(), end_of_best, outranks)->logit;
      const float least = best - *query.within;
      end = std::partition(end_of_best, kept.end(), [least](const Candidate& c) { return c.logit >= least; });
    }
    kept = {kept.begin(), end};
  }
  const auto by_id = [](const Candidate& c) { return to_int(c.id); };
  std::ranges::sort(kept, {}, by_id);
  std::size_t n = kept.size();
  for (const TokenId id : query.also) {
    if (to_index(id) >= head_.rows) continue;
    const std::span added = found_.span().subspan(kept.size(), n - kept.size());
    if (std::ranges::binary_search(kept, to_int(id), {}, by_id)) continue;
    if (std::ranges::find(added, id, &Candidate::id) != added.end()) continue;
    found_[n++] = candidate(static_cast<std::uint32_t>(to_index(id)));
  }
  const std::span all = found_.span().first(n);
  std::ranges::sort(all, {}, by_id);
  return all;
}

}  // namespace bitnet
