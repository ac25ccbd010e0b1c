// Ternary products of listed rows and columns, 256 bits at a time (kernels/sparse.h): what AVX2 and AVX-VNNI
// share, templates over the instructions that multiply, Dot (ternary.h).
#pragma once

#include <cstring>

#include "kernels/avx2/gemv.h"
#include "kernels/avx2/ternary.h"
#include "kernels/generic/listed.h"

namespace bitnet::kernels::avx2 {

inline constexpr std::size_t kColumnFours = kColumnGroup / 4;

template <typename Dot, std::size_t N>
void listed_rows_times_token(const quant::Matrix& w, const std::uint32_t* rows, const QuantizedRows& x,
                             std::size_t token, const OutputRows& y) {
  const std::size_t row_bytes = w.cols / 4;
  const std::int8_t* q = x.q + token * x.stride;
  const std::byte* codes[N];
  __m256i sum32[N];
  for (std::size_t r = 0; r < N; ++r) {
    codes[r] = w.data + rows[r] * row_bytes;
    sum32[r] = _mm256_setzero_si256();
  }
  for (std::size_t block = 0; block < row_bytes; block += Dot::kGemvBlockBytes) {
    const std::size_t end =
        block + Dot::kGemvBlockBytes < row_bytes ? block + Dot::kGemvBlockBytes : row_bytes;
    __m256i ones[N];
    __m256i fours[N];
    for (std::size_t r = 0; r < N; ++r) ones[r] = fours[r] = _mm256_setzero_si256();
    for (std::size_t at = block; at < end; at += 32) {
      const __m256i a[4] = {load_32(q + at * 4), load_32(q + at * 4 + 32), load_32(q + at * 4 + 64),
                            load_32(q + at * 4 + 96)};
      for (std::size_t r = 0; r < N; ++r) add_group<Dot>(ones[r], fours[r], load_32(codes[r] + at), a);
    }
    for (std::size_t r = 0; r < N; ++r) sum32[r] = Dot::widen_add(sum32[r], ones[r], fours[r]);
  }
  const Finish finish(w, x, token);
  for (std::size_t r = 0; r < N; ++r) y.y[token * y.stride + rows[r]] = finish(sum32[r]);
}

template <typename Dot>
void ternary_rows(const quant::Matrix& w, const std::uint32_t* rows, std::size_t n_rows,
                  const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  generic::for_listed_rows<kGemvRows>(w.data, w.cols / 4, rows, n_rows, [&](auto n_together, std::size_t i) {
    for (std::size_t t = 0; t < n_tokens; ++t) listed_rows_times_token<Dot, n_together>(w, rows + i, x, t, y);
  });
}

// Half a line of four columns, their codes side by side: vector m has the rows 16 m + i of each quarter in
// lane i, of the half's eight lanes of sixteen.
struct FourColumns {
  __m256i of[4];
};

static inline FourColumns interleave(const std::byte* const* columns, std::size_t at) {
  const __m256i c0 = load_32(columns[0] + at);
  const __m256i c1 = load_32(columns[1] + at);
  const __m256i c2 = load_32(columns[2] + at);
  const __m256i c3 = load_32(columns[3] + at);
  const __m256i low01 = _mm256_unpacklo_epi8(c0, c1);
  const __m256i high01 = _mm256_unpackhi_epi8(c0, c1);
  const __m256i low23 = _mm256_unpacklo_epi8(c2, c3);
  const __m256i high23 = _mm256_unpackhi_epi8(c2, c3);
  return {{_mm256_unpacklo_epi16(low01, low23), _mm256_unpackhi_epi16(low01, low23),
           _mm256_unpacklo_epi16(high01, high23), _mm256_unpackhi_epi16(high01, high23)}};
}

static inline __m256i broadcast_four(const std::int8_t* q) {
  std::int32_t four;
  std::memcpy(&four, q, sizeof four);
  return _mm256_set1_epi32(four);
}

// Codes of an even quarter, or four times those of an odd one, with a group's inputs: of each four columns
// `codes` has a vector. In 16 bits their sums are at most 4 * 2 * 2 * 4 * 128 = 8192 in magnitude. They go to
// a sum that is kept 2^scale times as large.
template <typename Dot, int scale>
static inline void add_products(std::int32_t* sums, const __m256i* codes, int mask, const __m256i* q) {
  const __m256i field = _mm256_set1_epi8(static_cast<char>(mask));
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t g = 0; g < kColumnFours; ++g) sum = Dot::add(sum, _mm256_and_si256(codes[g], field), q[g]);
  const __m256i sum32 = Dot::widen_add(_mm256_setzero_si256(), sum);
  auto* const at = reinterpret_cast<__m256i*>(sums);
  _mm256_storeu_si256(at, _mm256_add_epi32(_mm256_loadu_si256(at), _mm256_slli_epi32(sum32, scale)));
}

template <typename Dot>
void add_column_group(const quant::Columns& w, const ColumnList& list, std::size_t first,
                      std::int32_t* sums) {
  const std::byte* columns[kColumnGroup];
  const std::size_t column_bytes = w.column_bytes();
  for (std::size_t i = 0; i < kColumnGroup; ++i) columns[i] = w.data + list.columns[first + i] * column_bytes;
  const std::size_t sums_of_token = column_sums(w);
  for (std::size_t at = 0; at < column_bytes; at += 32) {
    FourColumns codes[kColumnFours];
    for (std::size_t g = 0; g < kColumnFours; ++g) codes[g] = interleave(columns + 4 * g, at);
    const std::size_t row = at / 64 * 256 + at % 64 / 32 * 8;
    for (std::size_t t = 0; t < list.n_tokens; ++t) {
      __m256i q[kColumnFours];
      for (std::size_t g = 0; g < kColumnFours; ++g)
        q[g] = broadcast_four(list.q + t * list.stride + first + 4 * g);
      std::int32_t* const to = sums + t * sums_of_token + row;
      for (std::size_t m = 0; m < 4; ++m) {
        __m256i lower[kColumnFours];
        __m256i upper[kColumnFours];
        for (std::size_t g = 0; g < kColumnFours; ++g) {
          lower[g] = codes[g].of[m];
          upper[g] = _mm256_srli_epi16(lower[g], 4);
        }
        add_products<Dot, 0>(to + 16 * m, lower, 0x03, q);
        add_products<Dot, 0>(to + 64 + 16 * m, lower, 0x0C, q);
        add_products<Dot, 4>(to + 128 + 16 * m, upper, 0x03, q);
        add_products<Dot, 4>(to + 192 + 16 * m, upper, 0x0C, q);
      }
    }
  }
}

template <typename Dot>
void add_columns(const quant::Columns& w, const ColumnList& list, std::int32_t* sums) {
  generic::for_column_groups(w, list, [&](std::size_t i) { add_column_group<Dot>(w, list, i, sums); });
}

}  // namespace bitnet::kernels::avx2
