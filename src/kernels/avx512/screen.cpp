// VPDPBUSD adds four products of unsigned codes and signed digits to a 32-bit sum, which grows by at most
// 4 * 31 * 128 in a step of 64 elements: no overflow before cols = 2^23.
#include "kernels/avx512/screen.h"

#include <immintrin.h>

#include <algorithm>

#include "kernels/avx512/ternary.h"

namespace bitnet::kernels::avx512 {
namespace {

// Rows that share each load of digits; each is a stream of its own, or two.
constexpr std::size_t kUpperRows = 4;
constexpr std::size_t kFiveBitRows = 3;
// How far ahead of its use a line is asked for in each stream. On a Zen 5 both products then read at 90 % of
// its bandwidth. Always in place: GCC leaves out the call of a function that only prefetches.
constexpr std::size_t kPrefetchBytes = 1792;
// Rows of a list: that share each load of digits; that are brought near together; how many further on one's
// beginning is asked for.
constexpr std::size_t kListedRows = 4;
constexpr std::size_t kBroughtRows = 64;
constexpr std::size_t kPrefetchRows = 16;

// The digits of 64 elements.
struct Step {
  Step(const Digits& digits, std::size_t at)
      : high(load_64(digits.high + at)), low(load_64(digits.low + at)) {}
  __m512i high;
  __m512i low;
};

// The two digits' sums of one row.
struct Sum {
  __m512i high = _mm512_setzero_si512();
  __m512i low = _mm512_setzero_si512();

  void add(__m512i codes, const Step& step) {
    high = _mm512_dpbusd_epi32(high, codes, step.high);
    low = _mm512_dpbusd_epi32(low, codes, step.low);
  }
  // Both conversions, the addition and the four folds round once each: 2^-21 has room for them.
  float total() const {
    return _mm512_reduce_add_ps(
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(high), _mm512_set1_ps(256), _mm512_cvtepi32_ps(low)));
  }
};

__mmask64 load_mask(const std::uint8_t* bits) {
  return _load_mask64(reinterpret_cast<__mmask64*>(const_cast<std::uint8_t*>(bits)));
}

// Rows row, row + step, ...
template <std::size_t N>
void upper_rows(const Plane& plane, std::size_t row, std::size_t step, const Digits& digits, float* sums) {
  const std::uint8_t* codes = plane.codes + row * plane.row_bytes;
  const std::size_t apart = step * plane.row_bytes;
  const __m512i mask = _mm512_set1_epi8(15);
  Sum sum[N];
  for (std::size_t at = 0; at < plane.row_bytes; at += 64) {
    const Step first(digits, 2 * at);
    const Step second(digits, 2 * at + 64);
    for (std::size_t r = 0; r < N; ++r) {
      const std::uint8_t* line = codes + r * apart + at;
      _mm_prefetch(reinterpret_cast<const char*>(line + kPrefetchBytes), _MM_HINT_T0);
      const __m512i packed = load_64(line);
      sum[r].add(_mm512_and_si512(packed, mask), first);
      sum[r].add(_mm512_and_si512(_mm512_srli_epi16(packed, 4), mask), second);
    }
  }
  for (std::size_t r = 0; r < N; ++r) sums[r * step] = sum[r].total();
}

template <std::size_t N>
void five_bit_rows(const Planes& planes, std::size_t row, std::size_t step, const Digits& digits,
                   float* sums) {
  const std::uint8_t* upper = planes.upper.codes + row * planes.upper.row_bytes;
  const std::uint8_t* first_bit = planes.bits[0].codes + row * planes.bits[0].row_bytes;
  const std::size_t upper_apart = step * planes.upper.row_bytes;
  const std::size_t bit_apart = step * planes.bits[0].row_bytes;
  const __m512i mask = _mm512_set1_epi8(15 << 1);
  const __m512i one = _mm512_set1_epi8(1);
  Sum sum[N];
  for (std::size_t at = 0; at < planes.upper.row_bytes; at += 64) {
    const Step first(digits, 2 * at);
    const Step second(digits, 2 * at + 64);
    for (std::size_t r = 0; r < N; ++r) {
      const std::uint8_t* line = upper + r * upper_apart + at;
      const std::uint8_t* bits = first_bit + r * bit_apart + at / 4;
      _mm_prefetch(reinterpret_cast<const char*>(line + kPrefetchBytes), _MM_HINT_T0);
      if (at % 256 == 0) _mm_prefetch(reinterpret_cast<const char*>(bits + kPrefetchBytes), _MM_HINT_T0);
      const __m512i packed = load_64(line);
      const __m512i low = _mm512_and_si512(_mm512_slli_epi16(packed, 1), mask);
      const __m512i high = _mm512_and_si512(_mm512_srli_epi16(packed, 3), mask);
      sum[r].add(_mm512_mask_add_epi8(low, load_mask(bits), low, one), first);
      sum[r].add(_mm512_mask_add_epi8(high, load_mask(bits + 8), high, one), second);
    }
  }
  for (std::size_t r = 0; r < N; ++r) sums[r * step] = sum[r].total();
}

// Brings rows [begin, end) of a list near. Loads that nothing waits for do that faster than asking for the
// same lines while others are worked on.
void bring(const Plane& plane, const std::uint32_t* rows, std::size_t begin, std::size_t end,
           std::size_t n_rows) {
  __m512i all = _mm512_setzero_si512();
  for (std::size_t i = begin; i < end; ++i) {
    const std::uint8_t* ahead = plane.codes + rows[std::min(i + kPrefetchRows, n_rows - 1)] * plane.row_bytes;
    _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T0);
    const std::uint8_t* codes = plane.codes + rows[i] * plane.row_bytes;
    for (std::size_t at = 0; at + 64 <= plane.row_bytes; at += 64)
      all = _mm512_or_si512(all, load_64(codes + at));
  }
  __asm__ volatile("" : : "v"(all));  // they are loaded, though for nothing
}

// N rows of a list together, so that their sums are chains of their own.
template <std::size_t N>
void bit_rows(const Plane& plane, const std::uint32_t* rows, const Digits& digits, float* sums) {
  const std::uint8_t* codes[N];
  for (std::size_t r = 0; r < N; ++r) codes[r] = plane.codes + rows[r] * plane.row_bytes;
  const __m512i one = _mm512_set1_epi8(1);
  Sum sum[N];
  for (std::size_t block = 0; block < plane.row_bytes; block += kBitBytes) {
#pragma GCC unroll 4
    for (std::size_t at = block; at < block + kBitBytes; at += 8) {
      const Step step(digits, 8 * at);
      for (std::size_t r = 0; r < N; ++r)
        sum[r].add(_mm512_maskz_mov_epi8(load_mask(codes[r] + at), one), step);
    }
  }
  for (std::size_t r = 0; r < N; ++r) sums[r] = sum[r].total();
}

// Long sequential streams, as for ternary rows: group(first row, distance of the next, sums) for n rows
// together, single(row, sum) for what remains.
template <typename Group, typename Single>
void all_rows(std::size_t n, std::size_t row_begin, std::size_t row_end, float* sums, Group group,
              Single single) {
  const std::size_t part = (row_end - row_begin) / n;
  std::size_t row = row_begin;
  for (; row < row_begin + part; ++row) group(row, part, sums + (row - row_begin));
  for (row = row_begin + n * part; row < row_end; ++row) single(row, sums + (row - row_begin));
}

}  // namespace

void upper_products(const Plane& upper, std::size_t row_begin, std::size_t row_end, const Digits& digits,
                    float* sums) {
  all_rows(
      kUpperRows, row_begin, row_end, sums,
      [&](std::size_t row, std::size_t step, float* to) {
        upper_rows<kUpperRows>(upper, row, step, digits, to);
      },
      [&](std::size_t row, float* to) { upper_rows<1>(upper, row, 0, digits, to); });
}

void five_bit_products(const Planes& planes, std::size_t row_begin, std::size_t row_end, const Digits& digits,
                       float* sums) {
  all_rows(
      kFiveBitRows, row_begin, row_end, sums,
      [&](std::size_t row, std::size_t step, float* to) {
        five_bit_rows<kFiveBitRows>(planes, row, step, digits, to);
      },
      [&](std::size_t row, float* to) { five_bit_rows<1>(planes, row, 0, digits, to); });
}

void bit_products(const Plane& bits, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                  float* sums) {
  for (std::size_t i = 0; i < n_rows;) {
    const std::size_t end = std::min(i + kBroughtRows, n_rows);
    bring(bits, rows, i, end, n_rows);
    for (; i + kListedRows <= end; i += kListedRows) bit_rows<kListedRows>(bits, rows + i, digits, sums + i);
    for (; i < end; ++i) bit_rows<1>(bits, rows + i, digits, sums + i);
  }
}

}  // namespace bitnet::kernels::avx512
