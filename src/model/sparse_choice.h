// Which of two ways to the same result is faster on this machine now, learned from the times they take.
//
// It decides about speed alone. Both ways give the same bits, so that measuring cannot change an answer.
#pragma once

#include <array>
#include <cstddef>

namespace bitnet {

// The median of the last few: a thread that the system took the processor from cannot throw it off, and when
// the machine changes, as many times as make more than half of them tell.
class TypicalCost {
 public:
  void add(double cost);
  bool is_known() const { return n_ >= kFirst; }
  double value() const { return value_; }

 private:
  static constexpr std::size_t kFirst = 3;
  static constexpr std::size_t kKept = 5;

  std::array<double, kKept> last_{};
  double value_ = 0;
  std::size_t n_ = 0;
};

// Between computing all of something and a part of it.
class SparseChoice {
 public:
  // Whether to compute a part that is `work` of the whole by some measure; what it costs is taken to be
  // proportional to that. Now and then it is the way that seems slower, to see whether it still is. All of it
  // is only tried where `all_can_be_tried`: elsewhere that costs more than the time it takes.
  bool is_for_part(double work, bool all_can_be_tried = true);
  // What it took, where nothing else was in it: pages that are touched for the first time take several times
  // as long.
  void add(bool was_part, double work, double seconds);

 private:
  // What is_for_part() would say if it tried nothing.
  bool seems_for_part(double work) const;

  // At least so much is gained, or it is done as before: what cannot be told apart is left as it is.
  static constexpr double kGain = 0.95;
  // One in so many is a try of the slower way: where that takes twice as long, 0.8 % of the time.
  static constexpr std::size_t kTryEvery = 128;

  TypicalCost all_;
  TypicalCost part_;  // for work 1
  bool was_for_part_ = false;
  std::size_t n_since_try_ = 0;
};

}  // namespace bitnet
