#include "model/sparse_choice.h"

#include <algorithm>

namespace bitnet {

void TypicalCost::add(double cost) {
  if (n_ < kFirst) {
    value_ = n_ == 0 ? cost : std::min(value_, cost);
    ++n_;
    return;
  }
  const double most = value_ / 2;  // that one cost counts for
  value_ += kRate * std::clamp(cost - value_, -most, most);
}

bool SparseChoice::seems_for_part(double work) const { return part_.value() * work < kGain * all_.value(); }

bool SparseChoice::is_for_part(double work) {
  ++n_;
  if (!all_.is_known()) return false;
  if (!part_.is_known()) return true;
  return seems_for_part(work) != (n_ % kTryEvery == 0);
}

void SparseChoice::add(bool was_part, double work, double seconds) {
  if (was_part) {
    part_.add(seconds / std::max(work, 1e-6));
  } else {
    all_.add(seconds);
  }
}

}  // namespace bitnet
