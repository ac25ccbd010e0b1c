// Products of planes of few bits with whole-number activations, 512 bits at a time (kernels/screen.h).
//
// VPDPBUSD adds four products of unsigned codes and signed digits to a 32-bit sum, which grows by at most
// 4 * 15 * 128 in a step of 64 elements: no overflow before cols = 2^24.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/screen.h"

namespace bitnet::kernels::avx512 {

// See Kernels.
void four_bit_products(const Plane& plane, std::size_t row_begin, std::size_t row_end, const Digits& digits,
                       std::int64_t* sums);
void one_bit_products(const Plane& plane, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                      std::int64_t* sums);
void two_bit_products(const Plane& plane, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                      std::int64_t* sums);

}  // namespace bitnet::kernels::avx512
