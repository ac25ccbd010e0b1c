// exp with the same bits on every machine, for code outside the kernels (the sampler's softmax).
#pragma once

#include <span>

namespace bitnet::kernels {

// y[i] = exp(x[i]); x and y have the same size and may be the same memory. See generic/exp.h for the error
// bound.
void exp_array(std::span<const float> x, std::span<float> y);

}  // namespace bitnet::kernels
