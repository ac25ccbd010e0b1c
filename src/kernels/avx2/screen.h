// Products of planes of few bits with whole-number activations, 256 bits at a time (kernels/screen.h): what
// AVX2 and AVX-VNNI share, templates over the instructions that multiply, Dot (ternary.h).
//
// Codes of up to 15 times digits: a pair of products is at most 2 * 15 * 128 = 3840 in magnitude, and Dot
// adds up the four of them that a block of 128 elements brings before they are widened to 32 bits.
#pragma once

#include "kernels/avx2/ternary.h"
#include "kernels/codes.h"
#include "kernels/screen.h"

namespace bitnet::kernels::avx2 {

// Rows that share each load of digits.
inline constexpr std::size_t kScreenRows = 2;
// How many rows of a list ahead are asked for.
inline constexpr std::size_t kScreenRowsAhead = 4;

// The four quarters of a block of codes times one digit.
template <typename Dot>
static inline __m256i add_block(__m256i sum32, const __m256i (&codes)[4], const std::int8_t* digits) {
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t k = 0; k < 4; ++k) sum = Dot::add(sum, codes[k], load_32(digits + 32 * k));
  return Dot::widen_add(sum32, sum);
}

// The two digits' sums of one row.
template <typename Dot>
struct ScreenSum {
  __m256i high = _mm256_setzero_si256();
  __m256i low = _mm256_setzero_si256();

  void add(const __m256i (&codes)[4], const Digits& digits, std::size_t at) {
    high = add_block<Dot>(high, codes, digits.high + at);
    low = add_block<Dot>(low, codes, digits.low + at);
  }
  std::int64_t total() const { return std::int64_t{256} * reduce_add(high) + reduce_add(low); }
};

// Rows row, row + step, ...
template <typename Dot, std::size_t N>
void four_bit_rows(const Plane& plane, std::size_t row, std::size_t step, const Digits& digits,
                   std::int64_t* sums) {
  const std::uint8_t* codes = plane.codes + row * plane.row_bytes;
  const __m256i mask = _mm256_set1_epi8(15);
  ScreenSum<Dot> sum[N];
  for (std::size_t at = 0; at < plane.row_bytes; at += 64) {
    for (std::size_t r = 0; r < N; ++r) {
      const std::uint8_t* block = codes + r * step * plane.row_bytes + at;
      _mm_prefetch(reinterpret_cast<const char*>(block + Dot::kPrefetchBytes), _MM_HINT_T0);
      const __m256i first = load_32(block);
      const __m256i second = load_32(block + 32);
      const __m256i quarters[4] = {_mm256_and_si256(first, mask), _mm256_and_si256(second, mask),
                                   _mm256_and_si256(_mm256_srli_epi16(first, 4), mask),
                                   _mm256_and_si256(_mm256_srli_epi16(second, 4), mask)};
      sum[r].add(quarters, digits, 2 * at);
    }
  }
  for (std::size_t r = 0; r < N; ++r) sums[r * step] = sum[r].total();
}

template <typename Dot>
void four_bit_products(const Plane& plane, std::size_t row_begin, std::size_t row_end, const Digits& digits,
                       std::int64_t* sums) {
  const std::size_t part = (row_end - row_begin) / kScreenRows;
  std::size_t row = row_begin;
  for (; row < row_begin + part; ++row)
    four_bit_rows<Dot, kScreenRows>(plane, row, part, digits, sums + (row - row_begin));
  for (row = row_begin + kScreenRows * part; row < row_end; ++row)
    four_bit_rows<Dot, 1>(plane, row, 0, digits, sums + (row - row_begin));
}

// unpack(codes of a block, its quarters) for each block of each row of the list.
template <typename Dot, std::size_t kBlockBytes, typename Unpack>
static inline void listed_rows(const Plane& plane, const std::uint32_t* rows, std::size_t n_rows,
                               const Digits& digits, std::int64_t* sums, Unpack unpack) {
  for (std::size_t i = 0; i < n_rows; ++i) {
    if (i + kScreenRowsAhead < n_rows) {
      const std::uint8_t* ahead = plane.codes + rows[i + kScreenRowsAhead] * plane.row_bytes;
      for (std::size_t at = 0; at < plane.row_bytes; at += 64)
        _mm_prefetch(reinterpret_cast<const char*>(ahead + at), _MM_HINT_T0);
    }
    const std::uint8_t* codes = plane.codes + rows[i] * plane.row_bytes;
    ScreenSum<Dot> sum;
    for (std::size_t at = 0; at < plane.row_bytes; at += kBlockBytes) {
      __m256i quarters[4];
      unpack(codes + at, quarters);
      sum.add(quarters, digits, at / kBlockBytes * kScreenBlock);
    }
    sums[i] = sum.total();
  }
}

template <typename Dot>
void one_bit_products(const Plane& plane, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                      std::int64_t* sums) {
  // Byte k / 8 of four to lane k, and of that bit k % 8.
  const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,  //
                                          2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201U));
  const __m256i one = _mm256_set1_epi8(1);
  listed_rows<Dot, 16>(plane, rows, n_rows, digits, sums, [&](const std::uint8_t* codes, __m256i* quarters) {
    for (std::size_t k = 0; k < 4; ++k) {
      const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(load_4_bytes(codes + 4 * k)), spread);
      quarters[k] = _mm256_min_epu8(_mm256_and_si256(bytes, bit), one);
    }
  });
}

template <typename Dot>
void two_bit_products(const Plane& plane, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                      std::int64_t* sums) {
  const __m256i mask = _mm256_set1_epi8(3);
  listed_rows<Dot, 32>(plane, rows, n_rows, digits, sums, [&](const std::uint8_t* codes, __m256i* quarters) {
    const __m256i packed = load_32(codes);
    quarters[0] = _mm256_and_si256(packed, mask);
    quarters[1] = _mm256_and_si256(_mm256_srli_epi16(packed, 2), mask);
    quarters[2] = _mm256_and_si256(_mm256_srli_epi16(packed, 4), mask);
    quarters[3] = _mm256_and_si256(_mm256_srli_epi16(packed, 6), mask);
  });
}

}  // namespace bitnet::kernels::avx2
