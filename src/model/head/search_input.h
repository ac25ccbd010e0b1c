// The input of a search in the head's screen: its digits, and what is lost with them.
#pragma once

#include <cstdint>

#include "kernels/screen.h"
#include "model/head/head_screen.h"

namespace bitnet {

struct SearchInput {
  kernels::Digits digits{};
  bool coarse = false;  // the low digits are all zero
  float digit_sum = 0;
  float unit = 0;  // of the digits
  // estimate + error_weight * e + norm_weight * |w| + tiny is a bound of the logit (head_search.cpp).
  float error_weight = 0;
  float norm_weight = 0;
  float tiny = 0;

  // Of x, [n], which the screen's columns have, times `factor`, which multiplies the products. high, low:
  // [n_blocks * kScreenBlock] each, where the digits go; zeros from n on. may_be_coarse: high digits alone
  // are taken where that widens the bounds but little. False where no bound would be of use: x is not finite,
  // or so large or small that floats don't suffice.
  bool set(const HeadScreen& screen, const float* x, std::size_t n, float factor, bool may_be_coarse,
           std::int8_t* high, std::int8_t* low);

  // For sums of a plane's codes times digits. weight: of the codes; middle: what comes off them.
  kernels::Estimator estimator(float weight, float middle) const {
    return {unit * weight, unit * middle * digit_sum, error_weight, norm_weight, tiny};
  }
};

}  // namespace bitnet
