// Products of planes of few bits with whole-number activations, 128 bits at a time (kernels/screen.h):
// templates over the instructions that multiply, Dots (ternary.h).
//
// Codes of up to 31 times digits: a product is at most 31 * 128 = 3968 in magnitude, and a lane of 16 bits
// takes the eight of four vectors before it is widened.
#pragma once

#include <span>
#include <type_traits>

#include "kernels/generic/unrolled.h"
#include "kernels/neon/ternary.h"
#include "kernels/screen.h"

namespace bitnet::kernels::neon {

// Rows whose streams are read together, and digits that share a row's codes in registers: four sums and eight
// vectors of codes.
inline constexpr std::size_t kScreenRows = 2;
inline constexpr std::size_t kScreenDigits = 2;
// How many rows of a list ahead are asked for.
inline constexpr std::size_t kScreenRowsAhead = 6;

// Codes of 64 elements in four vectors, in their order.
struct Quarters {
  int8x16_t of[4];
};

template <typename Dots>
int32x4_t add_digits(int32x4_t sum32, const Quarters& codes, const std::int8_t* digits) {
  auto sum = Dots::zero();
  for (std::size_t k = 0; k < 4; ++k) sum = Dots::add(sum, codes.of[k], load_16(digits + 16 * k));
  return Dots::widen_add(sum32, sum);
}

// The lower, or the upper, half bytes of 64 of the upper plane.
template <int half>
inline Quarters upper_codes(const std::uint8_t* line) {
  Quarters codes;
  for (std::size_t k = 0; k < 4; ++k) {
    const uint8x16_t bytes = load_16(line + 16 * k);
    if constexpr (half == 0) {
      codes.of[k] = vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15)));
    } else {
      codes.of[k] = vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4));
    }
  }
  return codes;
}

// Bits of 8 bytes of a bit's plane, 64 elements, as 0 and 1.
static inline Quarters bit_codes(const std::uint8_t* bits) {
  const uint8x16_t all = vcombine_u8(vld1_u8(bits), vdup_n_u8(0));
  const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201U));
  uint8x16_t spread = vcombine_u8(vdup_n_u8(0), vdup_n_u8(1));  // element i's byte is i / 8
  Quarters codes;
  for (std::size_t k = 0; k < 4; ++k) {
    const uint8x16_t set = vtstq_u8(vqtbl1q_u8(all, spread), bit);
    codes.of[k] = vreinterpretq_s8_u8(vandq_u8(set, vdupq_n_u8(1)));
    spread = vaddq_u8(spread, vdupq_n_u8(2));
  }
  return codes;
}

// Rows row, row + step, ... of the upper plane. kAhead: Dots::kPrefetchBytes, or 0 where the rows are near.
template <std::size_t kAhead>
class UpperRows {
 public:
  UpperRows(const Plane& plane, std::size_t row, std::size_t step)
      : codes_(plane.codes + row * plane.row_bytes), apart_(step * plane.row_bytes) {}

  // Of 64 bytes from `at` on, a multiple of 64.
  template <int half>
  Quarters codes(std::size_t r, std::size_t at) const {
    const std::uint8_t* const line = codes_ + r * apart_ + at;
    if constexpr (kAhead > 0 && half == 0) prefetch(line + kAhead);
    return upper_codes<half>(line);
  }

 private:
  const std::uint8_t* codes_;
  std::size_t apart_;
};

// The same with the first bit's plane.
template <std::size_t kAhead>
class FiveBitRows {
 public:
  FiveBitRows(const Planes& planes, std::size_t row, std::size_t step)
      : upper_(planes.upper, row, step),
        bits_(planes.bits[0].codes + row * planes.bits[0].row_bytes),
        bits_apart_(step * planes.bits[0].row_bytes) {}

  template <int half>
  Quarters codes(std::size_t r, std::size_t at) const {
    const std::uint8_t* const bits = bits_ + r * bits_apart_ + at / 4 + 8 * half;
    if (kAhead > 0 && half == 0 && at % 256 == 0) prefetch(bits + kAhead);
    Quarters codes = upper_.template codes<half>(r, at);
    const Quarters below = bit_codes(bits);
    for (std::size_t k = 0; k < 4; ++k)
      codes.of[k] = vaddq_s8(vaddq_s8(codes.of[k], codes.of[k]), below.of[k]);
    return codes;
  }

 private:
  UpperRows<kAhead> upper_;
  const std::uint8_t* bits_;
  std::size_t bits_apart_;
};

// R rows times D digits; sums[first + i * step] for the i-th row.
template <typename Dots, std::size_t R, std::size_t D, typename Rows>
void screen_tile(const Rows& rows, std::size_t row_bytes, const DigitProduct* products, std::size_t first,
                 std::size_t step) {
  int32x4_t sum[D][R];
  generic::for_each<D, R>([&](auto d, auto r) { sum[d][r] = vdupq_n_s32(0); });
  for (std::size_t at = 0; at < row_bytes; at += 64) {
    generic::for_each<R, 2>([&](auto r, auto half) __attribute__((always_inline)) {
      const Quarters codes = rows.template codes<static_cast<int>(half)>(r, at);
      generic::unrolled<D>([&](auto d) {
        sum[d][r] = add_digits<Dots>(sum[d][r], codes, products[d].digits + 2 * at + 64 * half);
      });
    });
  }
  generic::for_each<D, R>([&](auto d, auto r) {
    products[d].sums[first + r * step] = static_cast<float>(vaddvq_s32(sum[d][r]));
  });
}

// Long sequential streams, as for ternary rows.
template <typename Dots, template <std::size_t> typename Rows, typename Source>
void all_rows(const Source& source, std::size_t row_bytes, std::size_t row_begin, std::size_t row_end,
              std::span<const DigitProduct> products) {
  const auto rows_at = [&]<std::size_t R>(std::integral_constant<std::size_t, R>, std::size_t i,
                                          std::size_t step) {
    // The first digits bring the rows near.
    const Rows<Dots::kPrefetchBytes> far(source, row_begin + i, step);
    const Rows<0> near(source, row_begin + i, step);
    std::size_t d = 0;
    for (; d + kScreenDigits <= products.size(); d += kScreenDigits) {
      d == 0 ? screen_tile<Dots, R, kScreenDigits>(far, row_bytes, products.data(), i, step)
             : screen_tile<Dots, R, kScreenDigits>(near, row_bytes, products.data() + d, i, step);
    }
    for (; d < products.size(); ++d) screen_tile<Dots, R, 1>(far, row_bytes, products.data() + d, i, step);
  };
  const std::size_t n = row_end - row_begin;
  const std::size_t part = n / kScreenRows;
  for (std::size_t i = 0; i < part; ++i) rows_at(std::integral_constant<std::size_t, kScreenRows>{}, i, part);
  for (std::size_t i = kScreenRows * part; i < n; ++i)
    rows_at(std::integral_constant<std::size_t, 1>{}, i, 0);
}

template <typename Dots>
void upper_products(const Plane& upper, std::size_t row_begin, std::size_t row_end,
                    std::span<const DigitProduct> products) {
  all_rows<Dots, UpperRows>(upper, upper.row_bytes, row_begin, row_end, products);
}

template <typename Dots>
void five_bit_products(const Planes& planes, std::size_t row_begin, std::size_t row_end,
                       std::span<const DigitProduct> products) {
  all_rows<Dots, FiveBitRows>(planes, planes.upper.row_bytes, row_begin, row_end, products);
}

template <typename Dots>
void bit_products(const Plane& bits, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                  float* sums) {
  const auto ask_for = [&](std::size_t i) {
    const std::uint8_t* codes = bits.codes + rows[i] * bits.row_bytes;
    for (std::size_t at = 0; at < bits.row_bytes; at += 64) prefetch(codes + at);
  };
  for (std::size_t i = 0; i < n_rows && i < kScreenRowsAhead; ++i) ask_for(i);
  for (std::size_t i = 0; i < n_rows; ++i) {
    if (i + kScreenRowsAhead < n_rows) ask_for(i + kScreenRowsAhead);
    const std::uint8_t* codes = bits.codes + rows[i] * bits.row_bytes;
    int32x4_t high = vdupq_n_s32(0);
    int32x4_t low = vdupq_n_s32(0);
    for (std::size_t at = 0; at < bits.row_bytes; at += 8) {
      const Quarters of_bits = bit_codes(codes + at);
      high = add_digits<Dots>(high, of_bits, digits.high + 8 * at);
      low = add_digits<Dots>(low, of_bits, digits.low + 8 * at);
    }
    sums[i] = static_cast<float>(std::int64_t{256} * vaddvq_s32(high) + vaddvq_s32(low));
  }
}

}  // namespace bitnet::kernels::neon
