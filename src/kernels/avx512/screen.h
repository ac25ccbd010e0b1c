// Products of planes of few bits with whole-number activations, 512 bits at a time (kernels/screen.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/screen.h"

namespace bitnet::kernels::avx512 {

// See Kernels.
void upper_products(const Plane& upper, std::size_t row_begin, std::size_t row_end,
                    std::span<const DigitProduct> products);
void five_bit_products(const Planes& planes, std::size_t row_begin, std::size_t row_end,
                       std::span<const DigitProduct> products);
void seven_bit_products(const Planes& planes, std::size_t row_begin, std::size_t row_end,
                        std::span<const DigitProduct> products);
void bit_products(const Plane& bits, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                  float* sums);

}  // namespace bitnet::kernels::avx512
