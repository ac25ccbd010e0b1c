// Products of planes of few bits with whole-number activations, 256 bits at a time (kernels/screen.h): what
// AVX2 and AVX-VNNI share, templates over the instructions that multiply, Dot (ternary.h).
//
// Codes of up to 31 times digits: a pair of products is at most 2 * 31 * 128 = 7936 in magnitude, and Dot
// adds up four of them before they are widened to 32 bits.
#pragma once

#include "kernels/avx2/ternary.h"
#include "kernels/codes.h"
#include "kernels/screen.h"

namespace bitnet::kernels::avx2 {

// Rows that share each load of digits.
inline constexpr std::size_t kScreenRows = 2;
// How many rows of a list ahead are asked for.
inline constexpr std::size_t kScreenRowsAhead = 6;

// Codes of 128 elements in four vectors, in their order.
struct Quarters {
  __m256i of[4];
};

// The two digits' sums of one row.
template <typename Dot>
struct ScreenSum {
  __m256i high = _mm256_setzero_si256();
  __m256i low = _mm256_setzero_si256();

  void add(const Quarters& codes, const Digits& digits, std::size_t at) {
    high = add_digit(high, codes, digits.high + at);
    low = add_digit(low, codes, digits.low + at);
  }
  float total() const { return static_cast<float>(std::int64_t{256} * reduce_add(high) + reduce_add(low)); }

 private:
  static __m256i add_digit(__m256i sum32, const Quarters& codes, const std::int8_t* digits) {
    __m256i sum = _mm256_setzero_si256();
    for (std::size_t k = 0; k < 4; ++k) sum = Dot::add(sum, codes.of[k], load_32(digits + 32 * k));
    return Dot::widen_add(sum32, sum);
  }
};

// 64 bytes of the upper plane: 128 elements in their order.
static inline Quarters upper_codes(const std::uint8_t* line) {
  const __m256i mask = _mm256_set1_epi8(15);
  const __m256i first = load_32(line);
  const __m256i second = load_32(line + 32);
  return {{_mm256_and_si256(first, mask), _mm256_and_si256(second, mask),
           _mm256_and_si256(_mm256_srli_epi16(first, 4), mask),
           _mm256_and_si256(_mm256_srli_epi16(second, 4), mask)}};
}

// 16 bytes of a bit's plane: 128 elements in their order.
static inline Quarters bit_codes(const std::uint8_t* bits) {
  // Byte k / 8 of four to lane k, and of that bit k % 8.
  const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,  //
                                          2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201U));
  const __m256i one = _mm256_set1_epi8(1);
  Quarters codes;
  for (std::size_t k = 0; k < 4; ++k) {
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(load_4_bytes(bits + 4 * k)), spread);
    codes.of[k] = _mm256_min_epu8(_mm256_and_si256(bytes, bit), one);
  }
  return codes;
}

// Rows row, row + step, ...
template <typename Dot, std::size_t N>
void upper_rows(const Plane& plane, std::size_t row, std::size_t step, const Digits& digits, float* sums) {
  const std::uint8_t* codes = plane.codes + row * plane.row_bytes;
  const std::size_t apart = step * plane.row_bytes;
  ScreenSum<Dot> sum[N];
  for (std::size_t at = 0; at < plane.row_bytes; at += 64) {
    for (std::size_t r = 0; r < N; ++r) {
      const std::uint8_t* line = codes + r * apart + at;
      _mm_prefetch(reinterpret_cast<const char*>(line + Dot::kPrefetchBytes), _MM_HINT_T0);
      sum[r].add(upper_codes(line), digits, 2 * at);
    }
  }
  for (std::size_t r = 0; r < N; ++r) sums[r * step] = sum[r].total();
}

template <typename Dot, std::size_t N>
void five_bit_rows(const Planes& planes, std::size_t row, std::size_t step, const Digits& digits,
                   float* sums) {
  const std::uint8_t* upper = planes.upper.codes + row * planes.upper.row_bytes;
  const std::uint8_t* first_bit = planes.bits[0].codes + row * planes.bits[0].row_bytes;
  const std::size_t upper_apart = step * planes.upper.row_bytes;
  const std::size_t bit_apart = step * planes.bits[0].row_bytes;
  ScreenSum<Dot> sum[N];
  for (std::size_t at = 0; at < planes.upper.row_bytes; at += 64) {
    for (std::size_t r = 0; r < N; ++r) {
      const std::uint8_t* line = upper + r * upper_apart + at;
      const std::uint8_t* bits = first_bit + r * bit_apart + at / 4;
      _mm_prefetch(reinterpret_cast<const char*>(line + Dot::kPrefetchBytes), _MM_HINT_T0);
      if (at % 256 == 0) _mm_prefetch(reinterpret_cast<const char*>(bits + Dot::kPrefetchBytes), _MM_HINT_T0);
      Quarters codes = upper_codes(line);
      const Quarters below = bit_codes(bits);
      for (std::size_t k = 0; k < 4; ++k)
        codes.of[k] = _mm256_add_epi8(_mm256_add_epi8(codes.of[k], codes.of[k]), below.of[k]);
      sum[r].add(codes, digits, 2 * at);
    }
  }
  for (std::size_t r = 0; r < N; ++r) sums[r * step] = sum[r].total();
}

// Long sequential streams, as for ternary rows: group(first row, distance of the next, sums), single(row,
// sum).
template <typename Group, typename Single>
static inline void all_rows(std::size_t row_begin, std::size_t row_end, float* sums, Group group,
                            Single single) {
  const std::size_t part = (row_end - row_begin) / kScreenRows;
  std::size_t row = row_begin;
  for (; row < row_begin + part; ++row) group(row, part, sums + (row - row_begin));
  for (row = row_begin + kScreenRows * part; row < row_end; ++row) single(row, sums + (row - row_begin));
}

template <typename Dot>
void upper_products(const Plane& upper, std::size_t row_begin, std::size_t row_end, const Digits& digits,
                    float* sums) {
  all_rows(
      row_begin, row_end, sums,
      [&](std::size_t row, std::size_t step, float* to) {
        upper_rows<Dot, kScreenRows>(upper, row, step, digits, to);
      },
      [&](std::size_t row, float* to) { upper_rows<Dot, 1>(upper, row, 0, digits, to); });
}

template <typename Dot>
void five_bit_products(const Planes& planes, std::size_t row_begin, std::size_t row_end, const Digits& digits,
                       float* sums) {
  all_rows(
      row_begin, row_end, sums,
      [&](std::size_t row, std::size_t step, float* to) {
        five_bit_rows<Dot, kScreenRows>(planes, row, step, digits, to);
      },
      [&](std::size_t row, float* to) { five_bit_rows<Dot, 1>(planes, row, 0, digits, to); });
}

template <typename Dot>
void bit_products(const Plane& bits, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                  float* sums) {
  const auto ask_for = [&](std::size_t i) {
    const std::uint8_t* codes = bits.codes + rows[i] * bits.row_bytes;
    for (std::size_t at = 0; at < bits.row_bytes; at += 64)
      _mm_prefetch(reinterpret_cast<const char*>(codes + at), _MM_HINT_T0);
  };
  for (std::size_t i = 0; i < n_rows && i < kScreenRowsAhead; ++i) ask_for(i);
  for (std::size_t i = 0; i < n_rows; ++i) {
    if (i + kScreenRowsAhead < n_rows) ask_for(i + kScreenRowsAhead);
    const std::uint8_t* codes = bits.codes + rows[i] * bits.row_bytes;
    ScreenSum<Dot> sum;
    for (std::size_t at = 0; at < bits.row_bytes; at += 16) sum.add(bit_codes(codes + at), digits, 8 * at);
    sums[i] = sum.total();
  }
}

}  // namespace bitnet::kernels::avx2
