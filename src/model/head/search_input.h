// The input of a search in the head's screen: its digits, and what is lost with them.
#pragma once

#include <cstdint>

#include "kernels/screen.h"
#include "model/head/head_screen.h"

namespace bitnet {

struct SearchInput {
  // What estimates are worth that some digits give: estimate + error_weight * e + norm_weight * |w| + tiny is
  // a bound of the logit (head_search.cpp).
  struct Worth {
    float digit_sum = 0;
    float error_weight = 0;
    float norm_weight = 0;
  };

  kernels::Digits digits{};
  bool coarse = false;  // the high digits alone do, where every row is multiplied
  float unit = 0;       // of the digits
  float tiny = 0;
  Worth fine;         // of both digits
  Worth at_first;     // of the high ones, if they do, else the same
  float low_sum = 0;  // of the low digits

  // Of x, [n], which the screen's columns have, times `factor`, which multiplies the products. high, low:
  // [n_blocks * kScreenBlock] each, where the digits go; zeros from n on. may_be_coarse: the high digits do
  // where they widen the bounds but little. False where no bound would be of use: x is not finite, or so
  // large or small that floats don't suffice.
  bool set(const HeadScreen& screen, const float* x, std::size_t n, float factor, bool may_be_coarse,
           std::int8_t* high, std::int8_t* low);

  // For sums of a plane's codes times digits. weight: of the codes; middle: what comes off them.
  kernels::Estimator estimator(const Worth& worth, float weight, float middle) const {
    return {unit * weight, unit * middle * worth.digit_sum, worth.error_weight, worth.norm_weight, tiny};
  }
};

}  // namespace bitnet
