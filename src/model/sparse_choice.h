// Which of two ways to the same result is faster on this machine now, learned from the times they take.
//
// It decides about speed alone. Both ways give the same bits, so that measuring cannot change an answer.
#pragma once

#include <cstddef>

namespace bitnet {

// A running mean that a thread which the system took the processor from cannot throw off.
class TypicalCost {
 public:
  void add(double cost);
  bool is_known() const { return n_ >= kFirst; }
  double value() const { return value_; }

 private:
  // The least of so many is the first value: caches and pages are cold at the beginning.
  static constexpr std::size_t kFirst = 4;
  static constexpr double kRate = 1.0 / 16;

  double value_ = 0;
  std::size_t n_ = 0;
};

// Between computing all of something and a part of it.
class SparseChoice {
 public:
  // Whether to compute a part that is `work` of the whole by some measure; what it costs is taken to be
  // proportional to that. Now and then it is the way that seems slower, to see whether it still is.
  bool is_for_part(double work);
  // What it took.
  void add(bool was_part, double work, double seconds);

 private:
  // What is_for_part() would say if it tried nothing.
  bool seems_for_part(double work) const;

  // At least so much is gained, or all is computed: what cannot be told apart is left as it is.
  static constexpr double kGain = 0.98;
  // One in so many is a try of the slower way: where that takes twice as long, 0.8 % of the time.
  static constexpr std::size_t kTryEvery = 128;

  TypicalCost all_;
  TypicalCost part_;  // for work 1
  std::size_t n_ = 0;
};

}  // namespace bitnet
