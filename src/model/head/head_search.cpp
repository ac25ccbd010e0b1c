// Which rows are computed in full, and why no other can matter.
//
// Let w be a row of the head and x the input, times the scale that multiplies the head's products. The screen
// holds w with its columns divided by powers of two, and x is multiplied by them: the same products, no
// rounding. From here on w and x are these. Let w' be what
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
// (n / 16 + 6) 2^-24 |w| |x|, the product with the scale included (N. Higham, Accuracy and Stability of
// Numerical Algorithms, 2nd ed., section 3.1, and Cauchy-Schwarz again). So the logit is at most
//
//   estimate + e (|x| + d) + |w| (d + g |x|) + tiny
//
// where g has room for the roundings of this sum and of the estimates, and `tiny` for results below the
// smallest normal float. Rows computed in full from the best estimates give a logit that the worst of those
// asked for reaches; a row whose bound stays below it is not among them.
//
// Searches differ only in what they read: four bits of every row at first, five or all seven, or none where
// the last ones showed that they cost more than computing every row; and in d: where several inputs are
// searched for together, each may do with the upper of its two digits, and the lower ones are multiplied for
// those rows alone that still matter then. What is found is always the same.
#include "model/head/head_search.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

#include "model/head/candidate_choice.h"

namespace bitnet {
namespace {

constexpr std::size_t kRows = 256;         // in a block
constexpr std::size_t kBlocksAtATime = 2;  // that a thread claims at least
// Of what it claimed, so many at a time where several searches have their sums there: they stay in L2, and
// streams of 1,000 rows are long enough.
constexpr std::size_t kBlocksForSeveral = 16;
constexpr std::size_t kComputedRows = 4;  // that a thread claims where few are computed in full
// Asking for more than this part of the rows isn't worth a search.
constexpr std::size_t kWorthwhile = 8;
// A search that leaves more than this part of the rows costs more than none: the next ones are left out.
constexpr std::size_t kTooMany = 3;
// One block in so many tells what another number of bits would have left.
constexpr std::size_t kSampledBlocks = 32;
// Of a list, whose rows lie scattered: how far ahead one is asked for.
constexpr std::size_t kRowsAhead = 2;
// Rows that are computed in full from copies: reading more of them where they lie takes less time, and leaves
// their pages with the process.
constexpr std::size_t kMostCopied = std::size_t{1} << 15;
constexpr std::size_t kCopiedAtATime = 512;
constexpr float kWeightOfFirstBit = 4;  // in a code

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

HeadSearch::HeadSearch(const quant::Matrix& head, const HeadScreen* screen, const kernels::Kernels& kernels,
                       ThreadPool& pool, const RareRows* head_rows)
    : head_(head),
      screen_(screen),
      kernels_(kernels),
      pool_(pool),
      head_rows_(head_rows),
      pace_(kernels.seven_bit_products != nullptr),
      n_blocks_((head.rows + kRows - 1) / kRows),
      full_row_bytes_(quant::n_bytes_of(head) / head.rows) {
  const auto make_lists = [&](Search& search) {
    constexpr const char* kPurpose = "the search for the best logits";
    search.best = Buffer<std::uint32_t>(head.rows, kPurpose);
    search.found = Buffer<Candidate>(head.rows, kPurpose);
  };
  make_lists(of_all_);
  if (screen == nullptr) return;
  constexpr const char* kPurpose = "the search in the LM head's screen";
  if (head_rows != nullptr) copies_ = Buffer<std::byte>(kCopiedAtATime * full_row_bytes_, kPurpose);
  digits_ = Buffer<std::int8_t>(kMostTogether * 2 * screen->n_blocks * kernels::kScreenBlock, kPurpose);
  for (Search& search : searches_) {
    make_lists(search);
    search.estimate = Buffer<float>(head.rows, kPurpose);
    search.bound = Buffer<float>(head.rows, kPurpose);
    search.block_best = Buffer<float>(n_blocks_, kPurpose);
    search.block_bound = Buffer<float>(n_blocks_, kPurpose);
    search.listed = Buffer<std::uint32_t>(head.rows, kPurpose);
    search.n_listed = Buffer<std::uint32_t>(n_blocks_, kPurpose);
  }
}

HeadSearch::Found HeadSearch::find(const CandidateQuery& query, const float* x, std::span<float> logits) {
  const HeadQuery one{query, x, logits};
  Found found;
  find({&one, 1}, {&found, 1});
  return found;
}

void HeadSearch::find(std::span<const HeadQuery> queries, std::span<Found> found) {
  assert(queries.size() <= kMostTogether && found.size() == queries.size());
  std::ranges::fill(found, std::nullopt);
  if (screen_ != nullptr) n_planes_ = screen_->n_bit_planes();
  open(queries);
  if (n_open_ == 0) return;
  estimate_all();
  pool_.parallel_for(n_open_, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) take_best_estimates(*open_[i]);
  });
  RowLists rows{};
  for (std::size_t i = 0; i < n_open_; ++i) rows[i] = open_[i]->best.span().first(open_[i]->n_computed);
  compute(rows);
  for (Search* search : open_searches()) find_least(*search);
  std::array<std::size_t, kMostTogether> n_left{};
  list_others(n_left);
  if (n_planes_ < kernels::kBitPlanes) complete_screen(n_left);
  for (std::size_t i = 0; i < n_open_; ++i) {
    if (n_left[i] > head_.rows / kTooMany) {
      pace_.note_too_many(open_[i]->asked->query.n_best);
      open_[i]->asked = nullptr;
      rows[i] = {};
    } else {
      rows[i] = add_listed(*open_[i]);
    }
  }
  compute(rows);
  for (std::size_t i = 0; i < n_open_; ++i) {
    const Search& search = *open_[i];
    if (search.asked == nullptr) continue;
    const std::span all = search.best.span().first(search.n_computed + rows[i].size());
    ++counts_.searches;
    counts_.bytes += all.size() * full_row_bytes_;
    counts_.full += all.size();
    counts_.most_full = std::max<std::uint64_t>(counts_.most_full, all.size());
    found[static_cast<std::size_t>(search.asked - queries.data())] =
        choose_candidates(search.asked->query, all, search.asked->logits, search.found.span());
  }
}

std::span<const Candidate> HeadSearch::choose_from_all(const CandidateQuery& query,
                                                       std::span<const float> logits) {
  ++counts_.searches;
  ++counts_.whole;
  counts_.bytes += head_.rows * full_row_bytes_;
  for (std::size_t row = 0; row < head_.rows; ++row) {
    if (std::isfinite(logits[row])) continue;
    of_all_.found[0] = {TokenId{static_cast<std::int32_t>(row)}, logits[row]};
    return of_all_.found.span().first(1);
  }
  std::iota(of_all_.best.span().begin(), of_all_.best.span().end(), 0U);
  return choose_candidates(query, of_all_.best.span(), logits, of_all_.found.span());
}

bool HeadSearch::is_worthwhile(const CandidateQuery& query) {
  return !pace_.leaves_out(query.n_best) && screen_ != nullptr &&
         query.n_best + query.also.size() <= head_.rows / kWorthwhile;
}

// Leaves those that are searched for in open_.
void HeadSearch::open(std::span<const HeadQuery> queries) {
  n_open_ = 0;
  const std::size_t padded = digits_.size() / (2 * kMostTogether);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const HeadQuery& asked = queries[i];
    assert(asked.logits.size() == head_.rows && asked.query.n_best > 0);
    if (!is_worthwhile(asked.query)) continue;
    std::int8_t* const digits = digits_.data() + 2 * i * padded;
    Search& search = searches_[i];
    if (!search.in.set(*screen_, asked.x, head_.cols, head_.scale, queries.size() > 1, digits,
                       digits + padded))
      continue;
    search.asked = &asked;
    open_[n_open_++] = &search;
  }
  n_bits_ = n_open_ == 0 ? 0 : std::min(pace_.n_bits(n_open_), n_planes_);
}

void HeadSearch::estimate_all() {
  pool_.parallel_for(n_blocks_, kBlocksAtATime, [&](std::size_t begin, std::size_t end) {
    // All that was claimed at once: the longer its streams, the faster memory serves them.
    const std::size_t n = n_open_ == 1 ? end - begin : kBlocksForSeveral;
    for (; begin < end; begin += n) estimate(begin, std::min(begin + n, end));
  });
}

// Blocks [begin, end) for all searches. The sums of high digits go where the estimates will be, those of low
// digits where the bounds will be.
void HeadSearch::estimate(std::size_t begin, std::size_t end) const {
  const HeadScreen& screen = *screen_;
  const std::span<const float> error = screen.rows.error[n_bits_];
  const std::size_t row = begin * kRows;
  const std::size_t end_row = std::min(end * kRows, head_.rows);
  std::array<kernels::DigitProduct, 2 * kMostTogether> products;
  std::size_t n = 0;
  for (const Search* s : open_searches()) {
    products[n++] = {s->in.digits.high, &s->estimate[row]};
    if (!s->in.coarse) products[n++] = {s->in.digits.low, &s->bound[row]};
  }
  multiply_planes(row, end_row, std::span(products.data(), n));
  for (const Search* s : open_searches()) {
    const kernels::Estimator estimator =
        s->in.estimator(s->in.at_first, weight_at_first(), middle_at_first());
    for (std::size_t block = begin; block < end; ++block) {
      const std::size_t first = block * kRows;
      const kernels::DigitSums sums{&s->estimate[first], s->in.coarse ? nullptr : &s->bound[first]};
      kernels::Estimates estimates{&s->estimate[first], &s->bound[first], 0, 0};
      kernels_.estimate_rows(estimator, sums, &screen.rows.scale[first], &error[first],
                             &screen.rows.norm[first], std::min(kRows, head_.rows - first), &estimates);
      s->block_best[block] = estimates.best;
      s->block_bound[block] = estimates.highest;
    }
  }
}

// Sums of rows' codes, in as many bits as searches begin with, times digits.
void HeadSearch::multiply_planes(std::size_t row, std::size_t end_row,
                                 std::span<const kernels::DigitProduct> products) const {
  const kernels::Planes& planes = screen_->planes;
  if (n_bits_ == 0) {
    kernels_.upper_products(planes.upper, row, end_row, products);
  } else if (n_bits_ == 1) {
    kernels_.five_bit_products(planes, row, end_row, products);
  } else {
    kernels_.seven_bit_products(planes, row, end_row, products);
  }
}

// The rows of the highest estimates and those of query.also, in ascending order in search.best. Some more
// than are asked for: their logits make a better limit than their estimates' order.
void HeadSearch::take_best_estimates(Search& search) const {
  const CandidateQuery& query = search.asked->query;
  std::uint32_t* const best = search.best.data();
  const float* const estimate = search.estimate.data();
  const std::size_t wanted = std::min(query.n_best + query.n_best / 4 + 4, head_.rows);
  const auto ranks_higher = [&](std::uint32_t a, std::uint32_t b) { return estimate[a] > estimate[b]; };
  // A heap with the worst of the best on top; whole blocks are passed over.
  std::size_t n = 0;
  for (std::size_t block = 0; block < n_blocks_; ++block) {
    if (n == wanted && search.block_best[block] <= estimate[best[0]]) continue;
    const std::size_t end = std::min((block + 1) * kRows, head_.rows);
    for (std::size_t row = block * kRows; row < end; ++row) {
      if (n == wanted) {
        if (estimate[row] <= estimate[best[0]]) continue;
        std::pop_heap(best, best + n--, ranks_higher);
      }
      best[n++] = static_cast<std::uint32_t>(row);
      std::push_heap(best, best + n, ranks_higher);
    }
  }
  for (const TokenId id : query.also) {
    const auto row = static_cast<std::uint32_t>(to_index(id));
    if (to_index(id) < head_.rows && n < head_.rows) best[n++] = row;
  }
  std::sort(best, best + n);
  search.n_computed = static_cast<std::size_t>(std::unique(best, best + n) - best);
}

// The logits of all rows of all lists.
void HeadSearch::compute(const RowLists& lists) {
  std::size_t n_rows = 0;
  for (std::size_t i = 0; i < n_open_; ++i) n_rows += lists[i].size();
  const bool are_copied = head_rows_ != nullptr && n_rows <= kMostCopied;
  const std::size_t at_a_time = are_copied ? kCopiedAtATime : n_rows;
  for (std::size_t first = 0; first < n_rows; first += at_a_time) {
    const std::size_t n = std::min(at_a_time, n_rows - first);
    pool_.parallel_for(n, kComputedRows, [&](std::size_t begin, std::size_t end) {
      std::byte* copies = are_copied ? copies_.data() + begin * full_row_bytes_ : nullptr;
      compute_part(lists, first + begin, first + end, copies);
    });
  }
  if (head_rows_ == nullptr) return;
  are_copied ? head_rows_->copied() : head_rows_->touched();
}

// Rows [begin, end) of the lists one behind the other.
void HeadSearch::compute_part(const RowLists& lists, std::size_t begin, std::size_t end,
                              std::byte* copies) const {
  for (std::size_t i = 0; i < n_open_ && begin < end; ++i) {
    const std::size_t size = lists[i].size();
    if (begin < size) compute_rows(*open_[i], lists[i].subspan(begin, std::min(end, size) - begin), copies);
    if (begin < size && copies != nullptr) copies += (std::min(end, size) - begin) * full_row_bytes_;
    begin -= std::min(begin, size);
    end -= std::min(end, size);
  }
}

// Rows in ascending order; neighbours go to the kernel together.
void HeadSearch::compute_rows(const Search& search, std::span<const std::uint32_t> rows,
                              std::byte* copies) const {
  const HeadQuery& asked = *search.asked;
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t n = 1;
    while (i + n < rows.size() && rows[i + n] == rows[i] + n) ++n;
    if (copies == nullptr) {
      kernels_.matmul_float(head_, rows[i], rows[i] + n, {asked.x, head_.cols}, 1,
                            {asked.logits.data(), head_.rows});
    } else {
      const quant::Matrix some = head_rows_->copy(head_, rows[i], n, copies);
      kernels_.matmul_float(some, 0, n, {asked.x, head_.cols}, 1, {asked.logits.data() + rows[i], n});
      copies += n * full_row_bytes_;
    }
    i += n;
  }
}

// A logit that all that is asked for reaches, from those that are known.
void HeadSearch::find_least(Search& search) {
  const CandidateQuery& query = search.asked->query;
  const std::span computed = search.best.span().first(search.n_computed);
  const std::span known = search.found.span().first(computed.size());
  for (std::size_t i = 0; i < computed.size(); ++i) {
    const std::uint32_t row = computed[i];
    known[i] = {TokenId{static_cast<std::int32_t>(row)}, search.asked->logits[row]};
    search.bound[row] = -kInfinity;
  }
  const auto last = known.begin() + static_cast<std::ptrdiff_t>(query.n_best - 1);
  std::ranges::nth_element(known, last, outranks);
  search.least = last->logit;
  if (!query.within) return;
  const float best = std::ranges::min_element(known, outranks)->logit;
  search.least = std::min(search.least, best - *query.within);
}

// Leaves in each search's lists the rows beside those already computed whose logits may be wanted; says how
// many they are.
void HeadSearch::list_others(std::span<std::size_t> n_left) {
  constexpr std::size_t kBits = kernels::kBitPlanes;
  // Of each search, those that have so many bits read for them.
  std::array<std::array<std::atomic<std::size_t>, kBits + 1>, kMostTogether> n_read{};
  std::array<std::atomic<std::size_t>, kMostTogether> n_low{};  // that have their low digits multiplied
  for (Search* s : open_searches()) std::ranges::fill(s->n_listed.span(), 0U);
  pool_.parallel_for(n_blocks_, kBlocksAtATime, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = 0; i < n_open_; ++i) {
      Search& search = *open_[i];
      std::uint32_t* const list = &search.listed[begin * kRows];
      std::size_t n = 0;
      for (std::size_t block = begin; block < end; ++block) n = add_reaching(search, block, list, n);
      if (search.in.coarse) {
        n_low[i].fetch_add(n, std::memory_order_relaxed);
        n = add_low_digits(search, list, n);
      }
      for (std::size_t bit = n_bits_; bit < n_planes_; ++bit) {
        n_read[i][bit].fetch_add(n, std::memory_order_relaxed);
        n = refine(search, bit, list, n);
      }
      n_read[i][n_planes_].fetch_add(n, std::memory_order_relaxed);
      search.n_listed[begin] = static_cast<std::uint32_t>(n);
    }
  });
  const kernels::Planes& planes = screen_->planes;
  const std::size_t row_bytes = planes.upper.row_bytes + n_bits_ * planes.bits[0].row_bytes;
  counts_.bytes += head_.rows * (row_bytes + 3 * sizeof(float));
  for (std::size_t i = 0; i < n_open_; ++i) {
    counts_.bytes += n_low[i] * row_bytes;
    if (n_bits_ > 0) {
      ++counts_.wide;
      pace_.note_left_by_upper(part_left_by_upper(*open_[i]));
    } else {
      pace_.note_left_by_upper(static_cast<double>(n_read[i][0]) / static_cast<double>(head_.rows));
    }
    for (std::size_t bit = 0; bit < n_planes_; ++bit) {
      counts_.bits[bit] += n_read[i][bit];
      counts_.bytes += n_read[i][bit] * planes.bits[bit].row_bytes;
    }
    n_left[i] = n_read[i][n_planes_];
  }
}

// Has the bits that are missing made where five of them leave many rows, and goes on with the lists by these.
void HeadSearch::complete_screen(std::span<std::size_t> n_left) {
  const std::size_t total = std::accumulate(n_left.begin(), n_left.end(), std::size_t{0});
  pace_.note_left_by_five(static_cast<double>(total) / static_cast<double>(head_.rows * n_open_));
  if (total <= kMostCopied && !pace_.wants_all_bits()) return;
  screen_->complete(pool_);
  const std::size_t first = std::exchange(n_planes_, screen_->n_bit_planes());
  for (std::size_t i = 0; i < n_open_; ++i) {
    Search& search = *open_[i];
    for (std::size_t bit = first; bit < n_planes_; ++bit) {
      counts_.bits[bit] += n_left[i];
      counts_.bytes += n_left[i] * screen_->planes.bits[bit].row_bytes;
      std::atomic<std::size_t> n{0};
      pool_.parallel_for(n_blocks_, kBlocksAtATime, [&](std::size_t begin, std::size_t end) {
        for (; begin < end; ++begin) {
          std::uint32_t& listed = search.n_listed[begin];
          listed = static_cast<std::uint32_t>(refine(search, bit, &search.listed[begin * kRows], listed));
          n.fetch_add(listed, std::memory_order_relaxed);
        }
      });
      n_left[i] = n;
    }
  }
}

// Of some blocks' rows, the part that the upper plane alone would have left: a better estimate stands for its
// own, which errs to both sides.
double HeadSearch::part_left_by_upper(const Search& search) const {
  const HeadScreen::Bounds& about = screen_->rows;
  const std::span<const float> error = about.error[0];
  const SearchInput::Worth& worth = search.in.fine;
  std::size_t n = 0;
  std::size_t n_left = 0;
  for (std::size_t block = 0; block < n_blocks_; block += kSampledBlocks) {
    const std::size_t end = std::min((block + 1) * kRows, head_.rows);
    for (std::size_t row = block * kRows; row < end; ++row) {
      const float bound =
          search.estimate[row] + worth.error_weight * error[row] + worth.norm_weight * about.norm[row];
      n_left += bound >= search.least ? 1U : 0U;
    }
    n += end - block * kRows;
  }
  return static_cast<double>(n_left) / static_cast<double>(n);
}

// Adds a block's rows whose bounds reach search.least to the n of a list; gives how many it holds then.
std::size_t HeadSearch::add_reaching(const Search& search, std::size_t block, std::uint32_t* list,
                                     std::size_t n) const {
  if (search.block_bound[block] < search.least) return n;
  const std::size_t end = std::min((block + 1) * kRows, head_.rows);
  for (std::size_t row = block * kRows; row < end; ++row) {
    list[n] = static_cast<std::uint32_t>(row);
    n += search.bound[row] >= search.least ? 1U : 0U;
  }
  return n;
}

// Adds the low digits, which every row did without, to the estimates of the n listed rows, and keeps those
// that may still reach search.least; gives how many they are.
std::size_t HeadSearch::add_low_digits(const Search& search, std::uint32_t* list, std::size_t n) const {
  const HeadScreen::Bounds& about = screen_->rows;
  const std::span<const float> error = about.error[n_bits_];
  const SearchInput& in = search.in;
  const kernels::Estimator with = in.estimator(in.fine, weight_at_first(), middle_at_first());
  const float offset = in.unit * middle_at_first() * in.low_sum;
  std::size_t n_kept = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t row = list[i];
    if (i + kRowsAhead < n) bring_near(list[i + kRowsAhead]);
    float sum = 0;
    const kernels::DigitProduct low{in.digits.low, &sum};
    multiply_planes(row, row + 1, {&low, 1});
    search.estimate[row] += about.scale[row] * (with.weight * sum - offset);
    n_kept = keep_reaching(search, row, error[row], with, list, n_kept);
  }
  return n_kept;
}

// Asks for the lines of a row's planes that are multiplied at first.
void HeadSearch::bring_near(std::uint32_t row) const {
  constexpr std::size_t kLine = 64;
  const auto ask = [row](const kernels::Plane& plane) {
    const std::uint8_t* codes = plane.codes + row * plane.row_bytes;
    for (std::size_t at = 0; at < plane.row_bytes; at += kLine) __builtin_prefetch(codes + at);
  };
  ask(screen_->planes.upper);
  for (std::size_t bit = 0; bit < n_bits_; ++bit) ask(screen_->planes.bits[bit]);
}

// Keeps a listed row, as the next of n_kept, if its estimate may reach search.least; gives how many there
// are.
std::size_t HeadSearch::keep_reaching(const Search& search, std::uint32_t row, float error,
                                      const kernels::Estimator& with, std::uint32_t* list,
                                      std::size_t n_kept) const {
  const float slack = with.error_weight * error + (with.norm_weight * screen_->rows.norm[row] + with.tiny);
  list[n_kept] = row;
  return n_kept + (search.estimate[row] + slack >= search.least ? 1U : 0U);
}

// Adds one of the single bits to the estimates of the n listed rows, and keeps those that may still reach
// search.least; gives how many they are.
std::size_t HeadSearch::refine(const Search& search, std::size_t bit, std::uint32_t* list,
                               std::size_t n) const {
  const HeadScreen::Bounds& about = screen_->rows;
  const std::span<const float> error = about.error[bit + 1];
  // Half of what it stands for has been in the estimates.
  const float weight = kWeightOfFirstBit / static_cast<float>(1U << bit);
  const kernels::Estimator with = search.in.estimator(search.in.fine, weight, weight / 2);
  std::array<float, kRows> sums;
  std::size_t n_kept = 0;
  for (std::size_t begin = 0; begin < n; begin += kRows) {
    const std::size_t n_rows = std::min(kRows, n - begin);
    const std::uint32_t* rows = list + begin;
    kernels_.bit_products(screen_->planes.bits[bit], rows, n_rows, search.in.digits, sums.data());
    for (std::size_t i = 0; i < n_rows; ++i) {
      const std::uint32_t row = rows[i];
      search.estimate[row] += about.scale[row] * (with.weight * sums[i] - with.offset);
      n_kept = keep_reaching(search, row, error[row], with, list, n_kept);
    }
  }
  return n_kept;
}

// Adds the rows that are listed to those in search.best; returns the added.
std::span<const std::uint32_t> HeadSearch::add_listed(const Search& search) const {
  std::size_t n = search.n_computed;
  for (std::size_t block = 0; block < n_blocks_; ++block) {
    const std::uint32_t* list = search.listed.data() + block * kRows;
    std::copy(list, list + search.n_listed[block], search.best.data() + n);
    n += search.n_listed[block];
  }
  return search.best.span().subspan(search.n_computed, n - search.n_computed);
}

}  // namespace bitnet
