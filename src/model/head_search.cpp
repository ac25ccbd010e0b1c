// Which rows are computed in full, and why no other can matter.
//
// Let w be a row of the head and w' what the planes hold of it, e = |w - w'|; x the input and x' its digits'
// value, d = |x - x'|. By the inequality of Cauchy and Schwarz
//
//   |w.x - w'.x'| = |(w - w').x' + w.(x - x')| <= e |x'| + |w| d <= e (|x| + d) + |w| d.
//
// w'.x' is a sum of whole numbers and exact up to its final scaling. The logit is w.x in floats: n / 16 fused
// multiply-adds in each lane and four folds, which err by at most (n / 16 + 5) 2^-24 |w| |x| (N. Higham,
// Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1, and Cauchy-Schwarz again). So the
// logit is at most
//
//   estimate + e (|x| + d) + |w| (d + g |x|) + tiny
//
// where g has room for the roundings of this sum and of the estimates, and `tiny` for results below the
// smallest normal float. Rows computed in full from the best estimates give a logit that the worst of those
// asked for reaches; a row whose bound stays below it is not among them.
#include "model/head_search.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

namespace bitnet {
namespace {

constexpr std::size_t kRows = 256;  // in a block: what a thread claims, and 2 KiB of sums
constexpr std::size_t kBlocksAtATime = 2;
constexpr std::size_t kComputedRows = 4;  // that a thread claims where few are computed in full
constexpr double kSlack = 1 + 0x1p-20;    // for bounds that are computed in floats
constexpr double kMostDigits = 32512;     // 256 * 127: both digits stay in [-128, 127]
// Outside of these a float's range comes near; all rows are computed.
constexpr float kLeastInput = 1e-30F;
constexpr float kMostInput = 1e30F;
constexpr double kMostLogit = 1e37;
// Asking for more than this part of the rows isn't worth a search.
constexpr std::size_t kWorthwhile = 8;

bool outranks(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : to_int(a.id) < to_int(b.id);
}

float round_up(double x) {
  return std::nextafter(static_cast<float>(x), std::numeric_limits<float>::infinity());
}

}  // namespace

struct HeadSearch::Input {
  kernels::Digits digits{};
  std::int64_t digit_sum = 0;
  double unit = 0;  // of the digits
  // estimate + error_weight * e + norm_weight * |w| + tiny is a bound of the logit.
  float error_weight = 0;
  float norm_weight = 0;
  float tiny = 0;

  bool may_reach(float least, float estimate, float error, float norm) const {
    return estimate + (error_weight * error + (norm_weight * norm + tiny)) >= least;
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
  block_best_ = Buffer<float>(n_blocks_, kPurpose);
  listed_ = Buffer<std::uint32_t>(head.rows, kPurpose);
  n_one_ = Buffer<std::uint32_t>(n_blocks_, kPurpose);
  n_two_ = Buffer<std::uint32_t>(n_blocks_, kPurpose);
  n_full_ = Buffer<std::uint32_t>(n_blocks_, kPurpose);
}

std::optional<std::span<const Candidate>> HeadSearch::find(const CandidateQuery& query, const float* x,
                                                           std::span<float> logits) {
  assert(logits.size() == head_.rows && query.n_best > 0);
  Input in;
  if (!screens(query, x, in)) return std::nullopt;
  ++counts_.searches;
  estimate_all(in);
  const std::size_t n_computed = take_best_estimates(query);
  const auto computed = best_.span().first(n_computed);
  pool_.parallel_for(computed.size(), kComputedRows, [&](std::size_t begin, std::size_t end) {
    compute(computed.subspan(begin, end - begin), x, logits);
  });
  refine(in, x, least_wanted(query, computed, logits), logits);
  return choose(query, gather(), logits);
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
    largest = std::max(largest, std::abs(x[i]));
    squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  if (largest < kLeastInput || largest > kMostInput) return false;

  std::int8_t* high = digits_.data();
  std::int8_t* low = high + digits_.size() / 2;
  in.digits = {high, low};
  const double units = kMostDigits / static_cast<double>(largest);
  in.unit = 1 / units;
  double lost = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto value = static_cast<double>(x[i]);
    const auto whole = static_cast<std::int32_t>(std::lrint(value * units));
    const std::int32_t upper = (whole + 128) >> 8;
    high[i] = static_cast<std::int8_t>(upper);
    low[i] = static_cast<std::int8_t>(whole - 256 * upper);
    in.digit_sum += whole;
    const double difference = value - whole * in.unit;
    lost += difference * difference;
  }
  // Doubles err by some 2^-40 of these at most.
  const double norm = std::sqrt(squares) * (1 + 0x1p-30);
  const double d = std::sqrt(lost) * (1 + 0x1p-30) + norm * 0x1p-40;
  const double g = (static_cast<double>(n / 16) + 64) * 0x1p-24;
  in.error_weight = round_up((norm + d) * kSlack);
  in.norm_weight = round_up((d + g * norm) * kSlack);
  in.tiny = round_up(static_cast<double>(n) * 0x1p-140);
  return static_cast<double>(screen_->largest) * (norm + d) < kMostLogit;
}

void HeadSearch::estimate_all(const Input& in) {
  pool_.parallel_for(n_blocks_, kBlocksAtATime, [&](std::size_t begin, std::size_t end) {
    std::array<std::int64_t, kRows> sums;
    for (std::size_t block = begin; block < end; ++block) {
      const std::size_t first = block * kRows;
      const std::size_t n = std::min(kRows, head_.rows - first);
      kernels_.four_bit_products(screen_->planes.four, first, first + n, in.digits, sums.data());
      float best = -std::numeric_limits<float>::infinity();
      for (std::size_t i = 0; i < n; ++i) {
        const double scale = static_cast<double>(screen_->rows[first + i].scale) * in.unit;
        const float estimate =
            static_cast<float>(scale * static_cast<double>(8 * sums[i] - 60 * in.digit_sum));
        estimate_[first + i] = estimate;
        best = std::max(best, estimate);
      }
      block_best_[block] = best;
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

// Leaves the rows that were computed in full in listed_, n_full_ of them at the beginning of each block.
void HeadSearch::refine(const Input& in, const float* x, float least, std::span<float> logits) {
  pool_.parallel_for(n_blocks_, kBlocksAtATime, [&](std::size_t begin, std::size_t end) {
    std::array<std::int64_t, kRows> sums;
    for (std::size_t block = begin; block < end; ++block) {
      const std::size_t first = block * kRows;
      std::uint32_t* list = listed_.data() + first;
      std::size_t n = 0;
      for (std::size_t row = first; row < std::min(first + kRows, head_.rows); ++row) {
        list[n] = static_cast<std::uint32_t>(row);
        const kernels::RowBounds& bounds = screen_->rows[row];
        n += in.may_reach(least, estimate_[row], bounds.error_four, bounds.norm) ? 1 : 0;
      }
      // After the products of one more plane: adds to the estimates and keeps the rows that may still reach.
      const auto keep = [&](std::int64_t weight, double middle, float kernels::RowBounds::*error) {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < n; ++i) {
          const kernels::RowBounds& bounds = screen_->rows[list[i]];
          const double whole =
              static_cast<double>(weight * sums[i]) - middle * static_cast<double>(in.digit_sum);
          const double more = static_cast<double>(bounds.scale) * in.unit * whole;
          float& estimate = estimate_[list[i]];
          estimate = static_cast<float>(static_cast<double>(estimate) + more);
          list[kept] = list[i];
          kept += in.may_reach(least, estimate, bounds.*error, bounds.norm) ? 1 : 0;
        }
        n = kept;
      };
      n_one_[block] = static_cast<std::uint32_t>(n);
      kernels_.one_bit_products(screen_->planes.one, list, n, in.digits, sums.data());
      keep(4, 2, &kernels::RowBounds::error_one);
      n_two_[block] = static_cast<std::uint32_t>(n);
      kernels_.two_bit_products(screen_->planes.two, list, n, in.digits, sums.data());
      keep(1, 1.5, &kernels::RowBounds::error_two);
      n_full_[block] = static_cast<std::uint32_t>(n);
      compute({list, n}, x, logits);
    }
  });
}

// All blocks' rows, in ascending order, to best_; and their counts.
std::span<const std::uint32_t> HeadSearch::gather() {
  std::size_t n = 0;
  for (std::size_t block = 0; block < n_blocks_; ++block) {
    const std::uint32_t* list = listed_.data() + block * kRows;
    std::copy(list, list + n_full_[block], best_.data() + n);
    n += n_full_[block];
    counts_.one += n_one_[block];
    counts_.two += n_two_[block];
    counts_.bytes +=
        n_one_[block] * screen_->planes.one.row_bytes + n_two_[block] * screen_->planes.two.row_bytes;
  }
  counts_.bytes +=
      head_.rows * (screen_->planes.four.row_bytes + sizeof(kernels::RowBounds)) + n * full_row_bytes_;
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
