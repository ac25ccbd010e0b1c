#include "kernels/avx512/screen.h"

#include <immintrin.h>

#include "kernels/avx512/ternary.h"

namespace bitnet::kernels::avx512 {
namespace {

// Rows that share each load of digits.
constexpr std::size_t kRows = 4;
constexpr std::size_t kPrefetchBytes = 2304;  // as for ternary rows (gemv.cpp)
// How many rows of a list ahead are asked for: their first lines, the processor follows from there.
constexpr std::size_t kPrefetchRows = 4;

// The digits of 64 elements.
struct Step {
  __m512i high;
  __m512i low;
};

Step load_step(const Digits& digits, std::size_t at) {
  return {load_64(digits.high + at), load_64(digits.low + at)};
}

// The two digits' sums of one row.
struct Sum {
  __m512i high = _mm512_setzero_si512();
  __m512i low = _mm512_setzero_si512();

  void add(__m512i codes, const Step& step) {
    high = _mm512_dpbusd_epi32(high, codes, step.high);
    low = _mm512_dpbusd_epi32(low, codes, step.low);
  }
  std::int64_t total() const {
    return std::int64_t{256} * _mm512_reduce_add_epi32(high) + _mm512_reduce_add_epi32(low);
  }
};

// Rows row, row + step, ...
template <std::size_t N>
void four_bit_rows(const Plane& plane, std::size_t row, std::size_t step, const Digits& digits,
                   std::int64_t* sums) {
  const std::uint8_t* codes = plane.codes + row * plane.row_bytes;
  const __m512i mask = _mm512_set1_epi8(15);
  Sum sum[N];
  for (std::size_t at = 0; at < plane.row_bytes; at += 64) {
    const Step first = load_step(digits, 2 * at);
    const Step second = load_step(digits, 2 * at + 64);
    for (std::size_t r = 0; r < N; ++r) {
      const std::uint8_t* block = codes + r * step * plane.row_bytes + at;
      _mm_prefetch(reinterpret_cast<const char*>(block + kPrefetchBytes), _MM_HINT_T0);
      const __m512i packed = load_64(block);
      sum[r].add(_mm512_and_si512(packed, mask), first);
      sum[r].add(_mm512_and_si512(_mm512_srli_epi16(packed, 4), mask), second);
    }
  }
  for (std::size_t r = 0; r < N; ++r) sums[r * step] = sum[r].total();
}

// add_row(row's codes, its sum) for each row of the list.
template <typename AddRow>
void listed_rows(const Plane& plane, const std::uint32_t* rows, std::size_t n_rows, std::int64_t* sums,
                 AddRow add_row) {
  for (std::size_t i = 0; i < n_rows; ++i) {
    if (i + kPrefetchRows < n_rows) {
      const std::uint8_t* ahead = plane.codes + rows[i + kPrefetchRows] * plane.row_bytes;
      for (std::size_t at = 0; at < plane.row_bytes; at += 64)
        _mm_prefetch(reinterpret_cast<const char*>(ahead + at), _MM_HINT_T0);
    }
    Sum sum;
    add_row(plane.codes + rows[i] * plane.row_bytes, sum);
    sums[i] = sum.total();
  }
}

}  // namespace

void four_bit_products(const Plane& plane, std::size_t row_begin, std::size_t row_end, const Digits& digits,
                       std::int64_t* sums) {
  // Four long sequential streams, as for ternary rows.
  const std::size_t quarter = (row_end - row_begin) / kRows;
  std::size_t row = row_begin;
  for (; row < row_begin + quarter; ++row)
    four_bit_rows<kRows>(plane, row, quarter, digits, sums + (row - row_begin));
  for (row = row_begin + kRows * quarter; row < row_end; ++row)
    four_bit_rows<1>(plane, row, 0, digits, sums + (row - row_begin));
}

void one_bit_products(const Plane& plane, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                      std::int64_t* sums) {
  listed_rows(plane, rows, n_rows, sums, [&](const std::uint8_t* codes, Sum& sum) {
    const __m512i one = _mm512_set1_epi8(1);
    for (std::size_t at = 0; at < plane.row_bytes; at += 8) {
      const __mmask64 bits =
          _load_mask64(reinterpret_cast<__mmask64*>(const_cast<std::uint8_t*>(codes + at)));
      sum.add(_mm512_maskz_mov_epi8(bits, one), load_step(digits, 8 * at));
    }
  });
}

void two_bit_products(const Plane& plane, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                      std::int64_t* sums) {
  listed_rows(plane, rows, n_rows, sums, [&](const std::uint8_t* codes, Sum& sum) {
    const __m512i mask = _mm512_set1_epi8(3);
    for (std::size_t at = 0; at < plane.row_bytes; at += 32) {
      const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + at));
      const __m512i both =
          _mm512_inserti64x4(_mm512_castsi256_si512(packed), _mm256_srli_epi16(packed, 2), 1);
      sum.add(_mm512_and_si512(both, mask), load_step(digits, 4 * at));
      sum.add(_mm512_and_si512(_mm512_srli_epi16(both, 4), mask), load_step(digits, 4 * at + 64));
    }
  });
}

}  // namespace bitnet::kernels::avx512
