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
// Searches differ only in what they read: four bits of every row at first or five, or none where
// the last ones showed that they cost more than computing every row. What is found is always the same.
#include "model/head/head_search.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

namespace bitnet {
namespace {

constexpr std::size_t kRows = 256;         // in a block
constexpr std::size_t kBlocksAtATime = 2;  // that a thread claims at least
constexpr std::size_t kComputedRows = 4;   // that a thread claims where few are computed in full
constexpr double kSlack = 1 + 0x1p-20;     // for bounds that are computed in floats
constexpr double kMostDigits = 32512;      // 256 * 127: both digits stay in [-128, 127]
// Outside of these a float's range comes near; all rows are computed.
constexpr float kLeastInput = 1e-30F;
constexpr float kMostInput = 1e30F;
constexpr double kMostLogit = 1e37;
// Asking for more than this part of the rows isn't worth a search.
constexpr std::size_t kWorthwhile = 8;
// A search that leaves more than this part of the rows costs more than none: the next ones are left out.
constexpr std::size_t kTooMany = 3;
// With more than this part of the rows left by the upper plane, five bits of all rows are read faster than
// the fifth of those; where the last searches had that on average, the next begin with five.
constexpr double kManyOfUpper = 0.35;
constexpr double kWeightOfLast = 0.25;  // in that average
constexpr std::uint32_t kSearchesUntilNextTry = 32;
constexpr float kWeightOfFirstBit = 4;  // in a code

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool outranks(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : to_int(a.id) < to_int(b.id);
}

float round_up(double x) { return std::nextafter(static_cast<float>(x), kInfinity); }

}  // namespace

struct HeadSearch::Input {
  kernels::Digits digits{};
  float digit_sum = 0;
  float unit = 0;     // of the digits
  bool wide = false;  // begins with five bits of every row, not four
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
  full_row_bytes_ = quant::n_bytes_of(head) / head.rows;
  if (screen == nullptr) return;
  constexpr const char* kPurpose = "the search in the LM head's screen";
  digits_ = Buffer<std::int8_t>(2 * screen->n_blocks * kernels::kScreenBlock, kPurpose);
  estimate_ = Buffer<float>(head.rows, kPurpose);
  bound_ = Buffer<float>(head.rows, kPurpose);
  block_best_ = Buffer<float>(n_blocks_, kPurpose);
  block_bound_ = Buffer<float>(n_blocks_, kPurpose);
  listed_ = Buffer<std::uint32_t>(head.rows, kPurpose);
  n_listed_ = Buffer<std::uint32_t>(n_blocks_, kPurpose);
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
  const std::span<const float> error = screen.rows.error[in.wide ? 1 : 0];
  const kernels::Estimator estimator = in.wide ? in.estimator(4, 62) : in.estimator(8, 60);
  pool_.parallel_for(n_blocks_, kBlocksAtATime, [&](std::size_t begin, std::size_t end) {
    // All that was claimed at once: the longer its streams, the faster memory serves them.
    float* const sums = &estimate_[begin * kRows];
    const std::size_t end_row = std::min(end * kRows, head_.rows);
    if (in.wide) {
      kernels_.five_bit_products(screen.planes, begin * kRows, end_row, in.digits, sums);
    } else {
      kernels_.upper_products(screen.planes.upper, begin * kRows, end_row, in.digits, sums);
    }
    for (std::size_t block = begin; block < end; ++block) {
      const std::size_t first = block * kRows;
      kernels::Estimates estimates{&estimate_[first], &bound_[first], 0, 0};
      kernels_.estimate_rows(estimator, &estimate_[first], &screen.rows.scale[first], &error[first],
                             &screen.rows.norm[first], std::min(kRows, head_.rows - first), &estimates);
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

// Leaves in listed_ and n_listed_ the rows beside those already computed whose logits may reach `least`; says
// how many they are.
std::size_t HeadSearch::list_others(const Input& in, float least) {
  constexpr std::size_t kBits = kernels::kBitPlanes;
  const kernels::Planes& planes = screen_->planes;
  std::array<std::atomic<std::size_t>, kBits + 1> n_left{};  // that have so many bits read for them
  std::ranges::fill(n_listed_.span(), 0U);
  pool_.parallel_for(n_blocks_, kBlocksAtATime, [&](std::size_t begin, std::size_t end) {
    std::uint32_t* const list = &listed_[begin * kRows];
    std::size_t n = 0;
    for (std::size_t block = begin; block < end; ++block) n = add_reaching(block, least, list, n);
    for (std::size_t bit = in.wide ? 1 : 0; bit < kBits; ++bit) {
      n_left[bit].fetch_add(n, std::memory_order_relaxed);
      n = refine(in, least, bit, list, n);
    }
    n_left[kBits].fetch_add(n, std::memory_order_relaxed);
    n_listed_[begin] = static_cast<std::uint32_t>(n);
  });
  if (in.wide) {
    ++counts_.wide;
  } else {
    pace_by_upper(n_left[0]);
  }
  const std::size_t of_all = planes.upper.row_bytes + (in.wide ? planes.bits[0].row_bytes : 0);
  counts_.bytes += head_.rows * (of_all + 3 * sizeof(float));
  for (std::size_t bit = 0; bit < kBits; ++bit) {
    counts_.bits[bit] += n_left[bit];
    counts_.bytes += n_left[bit] * planes.bits[bit].row_bytes;
  }
  return n_left[kBits];
}

// After a search whose upper plane left n_rows: one alone that left many changes nothing, as the first token
// of a text, which is often unlike the others.
void HeadSearch::pace_by_upper(std::size_t n_rows) {
  const double part = static_cast<double>(n_rows) / static_cast<double>(head_.rows);
  left_by_upper_ += kWeightOfLast * (part - left_by_upper_);
  if (left_by_upper_ <= kManyOfUpper) return;
  left_by_upper_ = 0;
  n_wide_ = kSearchesUntilNextTry;
}

// Adds a block's rows whose bounds reach `least` to the n of a list; gives how many it holds then.
std::size_t HeadSearch::add_reaching(std::size_t block, float least, std::uint32_t* list,
                                     std::size_t n) const {
  if (block_bound_[block] < least) return n;
  const std::size_t end = std::min((block + 1) * kRows, head_.rows);
  for (std::size_t row = block * kRows; row < end; ++row) {
    list[n] = static_cast<std::uint32_t>(row);
    n += bound_[row] >= least ? 1 : 0;
  }
  return n;
}

// Adds one of the single bits to the estimates of the n listed rows, and keeps those that may still reach
// `least`; gives how many they are.
std::size_t HeadSearch::refine(const Input& in, float least, std::size_t bit, std::uint32_t* list,
                               std::size_t n) {
  const HeadScreen::Bounds& about = screen_->rows;
  const std::span<const float> error = about.error[bit + 1];
  // Half of what it stands for has been in the estimates.
  const float weight = kWeightOfFirstBit / static_cast<float>(1U << bit);
  const kernels::Estimator with = in.estimator(weight, weight / 2);
  std::array<float, kRows> sums;
  std::size_t n_kept = 0;
  for (std::size_t begin = 0; begin < n; begin += kRows) {
    const std::size_t n_rows = std::min(kRows, n - begin);
    const std::uint32_t* rows = list + begin;
    kernels_.bit_products(screen_->planes.bits[bit], rows, n_rows, in.digits, sums.data());
    for (std::size_t i = 0; i < n_rows; ++i) {
      const std::uint32_t row = rows[i];
      estimate_[row] += about.scale[row] * (with.weight * sums[i] - with.offset);
      const float slack = with.error_weight * error[row] + (with.norm_weight * about.norm[row] + with.tiny);
      list[n_kept] = row;
      n_kept += estimate_[row] + slack >= least ? 1 : 0;
    }
  }
  return n_kept;
}

// Adds the rows in listed_ to the n_computed in best_; returns them all.
std::span<const std::uint32_t> HeadSearch::compute_listed(std::size_t n_computed, const float* x,
                                                          std::span<float> logits) {
  std::size_t n = n_computed;
  for (std::size_t block = 0; block < n_blocks_; ++block) {
    const std::uint32_t* list = listed_.data() + block * kRows;
    std::copy(list, list + n_listed_[block], best_.data() + n);
    n += n_listed_[block];
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
