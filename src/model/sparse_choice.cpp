#include "model/sparse_choice.h"

#include <algorithm>

namespace bitnet {

void TypicalCost::add(double cost) {
  last_[n_ % kKept] = cost;
  ++n_;
  const std::size_t n = std::min(n_, kKept);
  std::array<double, kKept> sorted = last_;
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(n));
  value_ = sorted[(n - 1) / 2];
}

bool SparseChoice::seems_for_part(double work) const {
  const double part = part_.value() * work;
  return was_for_part_ ? part * kGain <= all_.value() : part < kGain * all_.value();
}

bool SparseChoice::is_for_part(double work, bool all_can_be_tried) {
  if (!all_.is_known()) return !all_can_be_tried;
  if (!part_.is_known()) return true;
  was_for_part_ = seems_for_part(work);
  if (++n_since_try_ < kTryEvery || (was_for_part_ && !all_can_be_tried)) return was_for_part_;
  n_since_try_ = 0;
  return !was_for_part_;
}

void SparseChoice::add(bool was_part, double work, double seconds) {
  const double cost = was_part ? seconds / std::max(work, 1e-6) : seconds;
  const TypicalCost& other = was_part ? all_ : part_;
  const double other_cost = was_part ? other.value() : other.value() * work;
  // A try that was faster is made again at once: after a few of them it is no try any more.
  if (was_part != was_for_part_ && seconds < kGain * other_cost) n_since_try_ = kTryEvery;
  (was_part ? part_ : all_).add(cost);
}

}  // namespace bitnet
