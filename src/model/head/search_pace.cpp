#include "model/head/search_pace.h"

#include <algorithm>

#include "kernels/screen.h"

namespace bitnet {
namespace {

// With more than this part of the rows left by the upper plane, five bits of all rows are read faster than
// the fifth of those; where the last searches had that on average, the next begin with five.
constexpr double kManyOfUpper = 0.35;
// From so many searches together on they begin with all bits instead, if all are there. These are read once,
// and multiplied as fast as everything, where single bits of listed rows are each search's own: that pays
// from less on, the more searches there are.
constexpr std::size_t kSeveral = 3;
constexpr double kManyOfUpperForSeveral = 1.2;
constexpr double kWeightOfLast = 0.25;  // in the average
// What five bits leave is computed in full, 5 KB for 2,560 weights in F16: for this part of the rows that is
// a thousandth of what a token reads. So many times more than not have to leave more; the first token of a
// text is often unlike the others.
constexpr double kManyOfFive = 0.001;
constexpr std::uint32_t kSayManyOfFive = 3;
constexpr std::uint32_t kUntilNextTry = 32;

}  // namespace

bool SearchPace::leaves_out(std::size_t n_best) {
  if (n_left_out_ == 0 || n_best < left_out_from_) return false;
  --n_left_out_;
  return true;
}

bool SearchPace::may_begin_with_all(std::size_t n) const { return begins_with_all_ && n >= kSeveral; }

std::size_t SearchPace::n_bits(std::size_t n) const {
  if (!may_begin_with_all(n)) return left_by_upper_ > kManyOfUpper ? 1 : 0;
  const double many = std::min(kManyOfUpper, kManyOfUpperForSeveral / static_cast<double>(n));
  return left_by_upper_ > many ? kernels::kBitPlanes : 0;
}

// One search alone that left many changes nothing, as the first token of a text, which is often unlike the
// others.
void SearchPace::note_left_by_upper(double part) {
  left_by_upper_ += kWeightOfLast * (part - left_by_upper_);
}

void SearchPace::note_left_by_five(double part) {
  if (part > kManyOfFive) {
    ++n_left_many_;
  } else if (n_left_many_ > 0) {
    --n_left_many_;
  }
}

bool SearchPace::wants_all_bits() const { return n_left_many_ >= kSayManyOfFive; }

void SearchPace::note_too_many(std::size_t n_best) {
  n_left_out_ = kUntilNextTry;
  left_out_from_ = n_best;
}

}  // namespace bitnet
