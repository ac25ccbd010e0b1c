// Products of planes of few bits with whole-number activations, 256 bits at a time (kernels/screen.h): what
// AVX2 and AVX-VNNI share, templates over the instructions that multiply, Dot (ternary.h).
//
// Codes of up to 31 times digits: a pair of products is at most 2 * 31 * 128 = 7936 in magnitude, and Dot
// adds up four of them before they are widened to 32 bits.
#pragma once

#include <span>
#include <type_traits>

#include "kernels/avx2/ternary.h"
#include "kernels/codes.h"
#include "kernels/screen.h"

namespace bitnet::kernels::avx2 {

// Rows whose streams are read together, and digits that share a row's codes in registers: four sums, four
// vectors of codes and a sum in 16 bits.
inline constexpr std::size_t kScreenRows = 2;
inline constexpr std::size_t kScreenDigits = 2;
// How many rows of a list ahead are asked for.
inline constexpr std::size_t kScreenRowsAhead = 6;

// Codes of 128 elements in four vectors, in their order.
struct Quarters {
  __m256i of[4];
};

template <typename Dot>
__m256i add_digits(__m256i sum32, const Quarters& codes, const std::int8_t* digits) {
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t k = 0; k < 4; ++k) sum = Dot::add(sum, codes.of[k], load_32(digits + 32 * k));
  return Dot::widen_add(sum32, sum);
}

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

// Rows row, row + step, ... of the upper plane. kAhead: Dot::kPrefetchBytes, or 0 where the rows are near.
template <typename Dot, std::size_t kAhead>
class UpperRows {
 public:
  UpperRows(const Plane& plane, std::size_t row, std::size_t step)
      : codes_(plane.codes + row * plane.row_bytes), apart_(step * plane.row_bytes) {}

  Quarters codes(std::size_t r, std::size_t at) const {
    const std::uint8_t* line = codes_ + r * apart_ + at;
    if constexpr (kAhead > 0) _mm_prefetch(reinterpret_cast<const char*>(line + kAhead), _MM_HINT_T0);
    return upper_codes(line);
  }

 private:
  const std::uint8_t* codes_;
  std::size_t apart_;
};

// The same with the first bit's plane.
template <typename Dot, std::size_t kAhead>
class FiveBitRows {
 public:
  FiveBitRows(const Planes& planes, std::size_t row, std::size_t step)
      : upper_(planes.upper, row, step),
        bits_(planes.bits[0].codes + row * planes.bits[0].row_bytes),
        bits_apart_(step * planes.bits[0].row_bytes) {}

  Quarters codes(std::size_t r, std::size_t at) const {
    const std::uint8_t* bits = bits_ + r * bits_apart_ + at / 4;
    if (kAhead > 0 && at % 256 == 0) _mm_prefetch(reinterpret_cast<const char*>(bits + kAhead), _MM_HINT_T0);
    Quarters codes = upper_.codes(r, at);
    const Quarters below = bit_codes(bits);
    for (std::size_t k = 0; k < 4; ++k)
      codes.of[k] = _mm256_add_epi8(_mm256_add_epi8(codes.of[k], codes.of[k]), below.of[k]);
    return codes;
  }

 private:
  UpperRows<Dot, kAhead> upper_;
  const std::uint8_t* bits_;
  std::size_t bits_apart_;
};

// R rows times D digits; sums[first + i * step] for the i-th row.
template <typename Dot, std::size_t R, std::size_t D, typename Rows>
void screen_tile(const Rows& rows, std::size_t row_bytes, const DigitProduct* products, std::size_t first,
                 std::size_t step) {
  __m256i sum[D][R];
  for (auto& of_digits : sum) {
    for (__m256i& s : of_digits) s = _mm256_setzero_si256();
  }
  for (std::size_t at = 0; at < row_bytes; at += 64) {
    for (std::size_t r = 0; r < R; ++r) {
      const Quarters codes = rows.codes(r, at);
      for (std::size_t d = 0; d < D; ++d)
        sum[d][r] = add_digits<Dot>(sum[d][r], codes, products[d].digits + 2 * at);
    }
  }
  for (std::size_t d = 0; d < D; ++d) {
    for (std::size_t r = 0; r < R; ++r)
      products[d].sums[first + r * step] = static_cast<float>(reduce_add(sum[d][r]));
  }
}

// Long sequential streams, as for ternary rows.
template <typename Dot, template <typename, std::size_t> typename Rows, typename Source>
void all_rows(const Source& source, std::size_t row_bytes, std::size_t row_begin, std::size_t row_end,
              std::span<const DigitProduct> products) {
  const auto rows_at = [&]<std::size_t R>(std::integral_constant<std::size_t, R>, std::size_t i,
                                          std::size_t step) {
    // The first digits bring the rows near.
    const Rows<Dot, Dot::kPrefetchBytes> far(source, row_begin + i, step);
    const Rows<Dot, 0> near(source, row_begin + i, step);
    std::size_t d = 0;
    for (; d + kScreenDigits <= products.size(); d += kScreenDigits) {
      d == 0 ? screen_tile<Dot, R, kScreenDigits>(far, row_bytes, products.data(), i, step)
             : screen_tile<Dot, R, kScreenDigits>(near, row_bytes, products.data() + d, i, step);
    }
    for (; d < products.size(); ++d) screen_tile<Dot, R, 1>(far, row_bytes, products.data() + d, i, step);
  };
  const std::size_t n = row_end - row_begin;
  const std::size_t part = n / kScreenRows;
  for (std::size_t i = 0; i < part; ++i) rows_at(std::integral_constant<std::size_t, kScreenRows>{}, i, part);
  for (std::size_t i = kScreenRows * part; i < n; ++i)
    rows_at(std::integral_constant<std::size_t, 1>{}, i, 0);
}

template <typename Dot>
void upper_products(const Plane& upper, std::size_t row_begin, std::size_t row_end,
                    std::span<const DigitProduct> products) {
  all_rows<Dot, UpperRows>(upper, upper.row_bytes, row_begin, row_end, products);
}

template <typename Dot>
void five_bit_products(const Planes& planes, std::size_t row_begin, std::size_t row_end,
                       std::span<const DigitProduct> products) {
  all_rows<Dot, FiveBitRows>(planes, planes.upper.row_bytes, row_begin, row_end, products);
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
    __m256i high = _mm256_setzero_si256();
    __m256i low = _mm256_setzero_si256();
    for (std::size_t at = 0; at < bits.row_bytes; at += 16) {
      const Quarters of_bits = bit_codes(codes + at);
      high = add_digits<Dot>(high, of_bits, digits.high + 8 * at);
      low = add_digits<Dot>(low, of_bits, digits.low + 8 * at);
    }
    sums[i] = static_cast<float>(std::int64_t{256} * reduce_add(high) + reduce_add(low));
  }
}

}  // namespace bitnet::kernels::avx2
