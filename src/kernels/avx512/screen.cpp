// VPDPBUSD adds four products of unsigned codes and signed digits to a 32-bit sum, which grows by at most
// 4 * 127 * 128 in a step of 64 elements: no overflow before cols = 2^21.
#include "kernels/avx512/screen.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <type_traits>

#include "kernels/avx512/fold.h"
#include "kernels/avx512/ternary.h"
#include "kernels/generic/unrolled.h"

namespace bitnet::kernels::avx512 {
namespace {

// Rows that share each load of digits; each is a stream of its own, or two.
constexpr std::size_t kUpperRows = 4;
constexpr std::size_t kFiveBitRows = 3;
constexpr std::size_t kSevenBitRows = 3;
// Digits that share each row's codes in registers: with four rows 16 sums, 8 vectors of codes and two of
// digits of the 32 there are. More are computed from the rows in L1. Codes of seven bits, which take longest
// to be put together, are for twice as many: with three rows 24 sums, and of each row one vector at a time.
constexpr std::size_t kDigits = 4;
constexpr std::size_t kSevenBitDigits = 8;
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

// The two digits' sums of one row of bits.
struct Sum {
  __m512i high = _mm512_setzero_si512();
  __m512i low = _mm512_setzero_si512();

  void add(__m512i codes, const Step& step) {
    add_products(high, codes, step.high);
    add_products(low, codes, step.low);
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

// 128 elements of a row.
struct Codes {
  __m512i first;
  __m512i second;
};

// Rows row, row + step, ... of the upper plane.
class UpperRows {
 public:
  UpperRows(const Plane& plane, std::size_t row, std::size_t step)
      : codes_(plane.codes + row * plane.row_bytes), apart_(step * plane.row_bytes) {}

  template <bool ahead>
  Codes codes(std::size_t r, std::size_t at) const {
    const std::uint8_t* line = codes_ + r * apart_ + at;
    if constexpr (ahead) _mm_prefetch(reinterpret_cast<const char*>(line + kPrefetchBytes), _MM_HINT_T0);
    const __m512i mask = _mm512_set1_epi8(15);
    const __m512i packed = load_64(line);
    return {_mm512_and_si512(packed, mask), _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask)};
  }

 private:
  const std::uint8_t* codes_;
  std::size_t apart_;
};

// The same with the first bit's plane.
class FiveBitRows {
 public:
  FiveBitRows(const Planes& planes, std::size_t row, std::size_t step)
      : upper_(planes.upper.codes + row * planes.upper.row_bytes),
        bits_(planes.bits[0].codes + row * planes.bits[0].row_bytes),
        upper_apart_(step * planes.upper.row_bytes),
        bits_apart_(step * planes.bits[0].row_bytes) {}

  template <bool ahead>
  Codes codes(std::size_t r, std::size_t at) const {
    const std::uint8_t* line = upper_ + r * upper_apart_ + at;
    const std::uint8_t* bits = bits_ + r * bits_apart_ + at / 4;
    if constexpr (ahead) {
      _mm_prefetch(reinterpret_cast<const char*>(line + kPrefetchBytes), _MM_HINT_T0);
      if (at % 256 == 0) _mm_prefetch(reinterpret_cast<const char*>(bits + kPrefetchBytes), _MM_HINT_T0);
    }
    const __m512i mask = _mm512_set1_epi8(15 << 1);
    const __m512i one = _mm512_set1_epi8(1);
    const __m512i packed = load_64(line);
    const __m512i low = _mm512_and_si512(_mm512_slli_epi16(packed, 1), mask);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(packed, 3), mask);
    return {_mm512_mask_add_epi8(low, load_mask(bits), low, one),
            _mm512_mask_add_epi8(high, load_mask(bits + 8), high, one)};
  }

 private:
  const std::uint8_t* upper_;
  const std::uint8_t* bits_;
  std::size_t upper_apart_;
  std::size_t bits_apart_;
};

// The same with all bits' planes.
class SevenBitRows {
 public:
  SevenBitRows(const Planes& planes, std::size_t row, std::size_t step)
      : upper_(planes.upper.codes + row * planes.upper.row_bytes),
        upper_apart_(step * planes.upper.row_bytes),
        bits_apart_(step * planes.bits[0].row_bytes) {
    for (std::size_t k = 0; k < kBitPlanes; ++k)
      bits_[k] = planes.bits[k].codes + row * planes.bits[k].row_bytes;
  }

  template <bool ahead>
  [[gnu::always_inline]] Codes codes(std::size_t r, std::size_t at) const {
    if constexpr (ahead) bring(r, at);
    const __m512i packed = load_64(upper_ + r * upper_apart_ + at);
    return {half_of<0>(packed, r, at), half_of<1>(packed, r, at)};
  }

  // The first or second 64 of them. Volatile, so that the line is loaded for each: kept for the second, it
  // would take the registers of sums.
  template <bool ahead, std::size_t half>
  [[gnu::always_inline]] __m512i half_codes(std::size_t r, std::size_t at) const {
    if constexpr (ahead && half == 0) bring(r, at);
    __m512i packed;
    __asm__ volatile("vmovdqu64 %1, %0"
                     : "=v"(packed)
                     : "m"(*reinterpret_cast<const __m512i_u*>(upper_ + r * upper_apart_ + at)));
    return half_of<half>(packed, r, at);
  }

 private:
  [[gnu::always_inline]] void bring(std::size_t r, std::size_t at) const {
    const std::uint8_t* line = upper_ + r * upper_apart_ + at;
    _mm_prefetch(reinterpret_cast<const char*>(line + kPrefetchBytes), _MM_HINT_T0);
    if (at % 256 != 0) return;
    for (const std::uint8_t* bits : bits_)
      _mm_prefetch(reinterpret_cast<const char*>(bits + r * bits_apart_ + (at + kPrefetchBytes) / 4),
                   _MM_HINT_T0);
  }

  template <std::size_t half>
  [[gnu::always_inline]] __m512i half_of(__m512i packed, std::size_t r, std::size_t at) const {
    const __m512i shifted = half == 0 ? _mm512_slli_epi16(packed, 3) : _mm512_srli_epi16(packed, 1);
    __m512i codes = _mm512_and_si512(shifted, _mm512_set1_epi8(15 << 3));
    generic::unrolled<kBitPlanes>([&](auto k) __attribute__((always_inline)) {
      const __mmask64 bits = load_mask(bits_[k] + r * bits_apart_ + at / 4 + 8 * half);
      codes = _mm512_mask_add_epi8(codes, bits, codes, _mm512_set1_epi8(static_cast<char>(4 >> k)));
    });
    return codes;
  }

  const std::uint8_t* upper_;
  const std::uint8_t* bits_[kBitPlanes];
  std::size_t upper_apart_;
  std::size_t bits_apart_;
};

// R rows times D digits; sums[i * step] for the i-th row.
template <std::size_t R, std::size_t D, bool ahead, typename Rows>
void tile(const Rows& rows, std::size_t row_bytes, const DigitProduct* products, std::size_t first,
          std::size_t step) {
  static_assert(R <= 4);
  __m512i sum[D][R];
  generic::for_each<D, R>([&](auto d, auto r)
                              __attribute__((always_inline)) { sum[d][r] = _mm512_setzero_si512(); });
  for (std::size_t at = 0; at < row_bytes; at += 64) {
    if constexpr (D > kDigits) {
      generic::unrolled<2>([&](auto half) __attribute__((always_inline)) {
        __m512i codes[R];
        generic::unrolled<R>([&](auto r) __attribute__((always_inline)) {
          codes[r] = rows.template half_codes<ahead, half>(r, at);
        });
        generic::unrolled<D>([&](auto d) __attribute__((always_inline)) {
          const __m512i digits = load_64(products[d].digits + 2 * at + 64 * half);
          generic::unrolled<R>([&](auto r) __attribute__((always_inline)) {
            add_products(sum[d][r], codes[r], digits);
          });
        });
      });
    } else {
      Codes codes[R];
      generic::unrolled<R>([&](auto r) __attribute__((always_inline)) {
        codes[r] = rows.template codes<ahead>(r, at);
      });
      generic::unrolled<D>([&](auto d) __attribute__((always_inline)) {
        const __m512i digits = load_64(products[d].digits + 2 * at);
        const __m512i next = load_64(products[d].digits + 2 * at + 64);
        generic::unrolled<R>([&](auto r) __attribute__((always_inline)) {
          add_products(sum[d][r], codes[r].first, digits);
        });
        generic::unrolled<R>([&](auto r) __attribute__((always_inline)) {
          add_products(sum[d][r], codes[r].second, next);
        });
      });
    }
  }
  generic::unrolled<D>([&](auto d) __attribute__((always_inline)) {
    alignas(16) float totals[4];
    const auto of_row = [&](std::size_t r) __attribute__((always_inline)) {
      return sum[d][std::min(r, R - 1)];
    };
    _mm_store_ps(totals, _mm_cvtepi32_ps(add_up(of_row(0), of_row(1), of_row(2), of_row(3))));
    for (std::size_t r = 0; r < R; ++r) products[d].sums[first + r * step] = totals[r];
  });
}

// All digits, kMost at a time: the first of them bring the rows near. Fewer than kMost of them are faster
// with the last one some times more than one by one.
template <std::size_t R, std::size_t kMost, bool ahead, typename Rows>
void tiles(const Rows& rows, std::size_t row_bytes, std::span<const DigitProduct> products, std::size_t first,
           std::size_t step) {
  if constexpr (kMost > kDigits) {
    if (products.size() > kDigits) {
      const std::size_t n = std::min(products.size(), kMost);
      std::array<DigitProduct, kMost> some;
      for (std::size_t i = 0; i < kMost; ++i) some[i] = products[std::min(i, n - 1)];
      tile<R, kMost, ahead>(rows, row_bytes, some.data(), first, step);
      return tiles<R, kMost, false>(rows, row_bytes, products.subspan(n), first, step);
    }
  }
  const auto some = [&]<std::size_t D>(std::integral_constant<std::size_t, D>) {
    tile<R, D, ahead>(rows, row_bytes, products.data(), first, step);
  };
  switch (products.size()) {
    case 0:
      return;
    case 1:
      return some(std::integral_constant<std::size_t, 1>{});
    case 2:
      return some(std::integral_constant<std::size_t, 2>{});
    case 3:
      return some(std::integral_constant<std::size_t, 3>{});
    default:
      some(std::integral_constant<std::size_t, kDigits>{});
      return tiles<R, kMost, false>(rows, row_bytes, products.subspan(kDigits), first, step);
  }
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
    generic::unrolled<kBitBytes / 8>([&](auto i) __attribute__((always_inline)) {
      const std::size_t at = block + 8 * i;
      const Step step(digits, 8 * at);
      generic::unrolled<N>([&](auto r) __attribute__((always_inline)) {
        sum[r].add(_mm512_maskz_mov_epi8(load_mask(codes[r] + at), one), step);
      });
    });
  }
  for (std::size_t r = 0; r < N; ++r) sums[r] = sum[r].total();
}

// Long sequential streams, as for ternary rows: rows_from(row, step) gives a reader of N rows together, or of
// one of those that remain.
template <std::size_t N, std::size_t kMost, typename RowsFrom>
void all_rows(std::size_t row_bytes, std::size_t row_begin, std::size_t row_end,
              std::span<const DigitProduct> products, RowsFrom rows_from) {
  const std::size_t part = (row_end - row_begin) / N;
  for (std::size_t i = 0; i < part; ++i)
    tiles<N, kMost, true>(rows_from(row_begin + i, part), row_bytes, products, i, part);
  for (std::size_t i = N * part; i < row_end - row_begin; ++i)
    tiles<1, kMost, true>(rows_from(row_begin + i, 0), row_bytes, products, i, 0);
}

}  // namespace

void upper_products(const Plane& upper, std::size_t row_begin, std::size_t row_end,
                    std::span<const DigitProduct> products) {
  all_rows<kUpperRows, kDigits>(
      upper.row_bytes, row_begin, row_end, products,
      [&](std::size_t row, std::size_t step) { return UpperRows(upper, row, step); });
}

void five_bit_products(const Planes& planes, std::size_t row_begin, std::size_t row_end,
                       std::span<const DigitProduct> products) {
  all_rows<kFiveBitRows, kDigits>(
      planes.upper.row_bytes, row_begin, row_end, products,
      [&](std::size_t row, std::size_t step) { return FiveBitRows(planes, row, step); });
}

void seven_bit_products(const Planes& planes, std::size_t row_begin, std::size_t row_end,
                        std::span<const DigitProduct> products) {
  all_rows<kSevenBitRows, kSevenBitDigits>(
      planes.upper.row_bytes, row_begin, row_end, products,
      [&](std::size_t row, std::size_t step) { return SevenBitRows(planes, row, step); });
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
