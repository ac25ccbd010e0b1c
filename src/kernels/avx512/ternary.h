// Ternary products of I2_S weights with int8 activations, 512 bits at a time.
//
// VPDPBUSD multiplies unsigned codes 0, 1, 2 with signed activations and adds four neighbours to a 32-bit
// sum: no sum can overflow before cols = 2^22 (a lane grows by at most 4 * 2 * 128 per step of 64 elements).
// The sum of the activations comes off at the end, since code c stands for c - 1.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

namespace bitnet::kernels::avx512 {

inline __m512i load_64(const void* p) { return _mm512_loadu_si512(p); }
inline __m512i broadcast_4(const std::int8_t* q) {
  std::int32_t four;
  __builtin_memcpy(&four, q, sizeof four);
  return _mm512_set1_epi32(four);
}

// In place and from registers: left to itself, the compiler copies sums about and loads the activations once
// for each product. Inlined at once, or the sums are kept in memory.
[[gnu::always_inline]] inline void add_products(__m512i& sum, __m512i codes, __m512i activations) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(activations));
}

// Codes to -1, 0, +1 as floats.
void decode_i2_s(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end, float* out);
// Decode: one token, weights straight from memory.
void gemv_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
               std::size_t token, const OutputRows& y);
// A draft or some sequences, 2 tokens or more: weights straight from memory, unpacked in registers.
void few_tokens_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                     const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y);
// Prefill: weights unpacked once for many tokens.
void gemm_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
               std::size_t n_tokens, const OutputRows& y);

}  // namespace bitnet::kernels::avx512
