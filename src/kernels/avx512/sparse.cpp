#include "kernels/avx512/sparse.h"

#include "kernels/avx512/groups.h"
#include "kernels/avx512/ternary.h"
#include "kernels/generic/listed.h"

namespace bitnet::kernels::avx512 {
namespace {

// Rows worked on together: one load of activations serves them all.
constexpr std::size_t kRows = 4;
constexpr std::size_t kFours = kColumnGroup / 4;

constexpr std::size_t kLineBytes = quant::Columns::kLineBytes;

template <std::size_t N>
void rows_times_token(const quant::Matrix& w, const std::uint32_t* rows, const QuantizedRows& x,
                      std::size_t token, const OutputRows& y) {
  const std::size_t row_bytes = w.cols / 4;
  const std::int8_t* q = x.q + token * x.stride;
  const std::byte* codes[N];
  __m512i sum[N];
  for (std::size_t r = 0; r < N; ++r) {
    codes[r] = w.data + rows[r] * row_bytes;
    sum[r] = _mm512_setzero_si512();
  }
  std::size_t at = 0;
  for (; at + 64 <= row_bytes; at += 64) {
    const Step a = pair_of_groups(q + at * 4, q + at * 4 + 128);
    for (std::size_t r = 0; r < N; ++r) sum[r] = multiply_add(sum[r], load_64(codes[r] + at), a);
  }
  if (at < row_bytes) {
    const Step a = single_group(q + at * 4);
    for (std::size_t r = 0; r < N; ++r)
      sum[r] = multiply_add(sum[r], _mm512_zextsi256_si512(load_32(codes[r] + at)), a);
  }
  const float scale = w.scale / x.scale[token];
  for (std::size_t r = 0; r < N; ++r) {
    const std::int32_t total = _mm512_reduce_add_epi32(sum[r]) - x.sum[token];
    y.y[token * y.stride + rows[r]] = scale * static_cast<float>(total);
  }
}

// The same 64 bytes of a group's columns as the codes of four of them side by side: vector m of any four has
// the rows 16 m + i of each quarter in lane i.
struct Interleaved {
  __m512i of[kFours][4];
};

Interleaved interleave(const std::byte* const* columns, std::size_t at) {
  Interleaved out;
  for (std::size_t g = 0; g < kFours; ++g) {
    const __m512i c0 = load_64(columns[4 * g] + at);
    const __m512i c1 = load_64(columns[4 * g + 1] + at);
    const __m512i c2 = load_64(columns[4 * g + 2] + at);
    const __m512i c3 = load_64(columns[4 * g + 3] + at);
    const __m512i low01 = _mm512_unpacklo_epi8(c0, c1);
    const __m512i high01 = _mm512_unpackhi_epi8(c0, c1);
    const __m512i low23 = _mm512_unpacklo_epi8(c2, c3);
    const __m512i high23 = _mm512_unpackhi_epi8(c2, c3);
    out.of[g][0] = _mm512_unpacklo_epi16(low01, low23);
    out.of[g][1] = _mm512_unpackhi_epi16(low01, low23);
    out.of[g][2] = _mm512_unpacklo_epi16(high01, high23);
    out.of[g][3] = _mm512_unpackhi_epi16(high01, high23);
  }
  return out;
}

// Codes of quarter F where they lie, 4^F times too large.
template <std::size_t F>
void add_quarter(const Interleaved& codes, const __m512i* q, std::int32_t* sums) {
  const __m512i mask = _mm512_set1_epi8(static_cast<char>(3U << (2 * F)));
  for (std::size_t m = 0; m < 4; ++m) {
    std::int32_t* const at = sums + 64 * F + 16 * m;
    __m512i sum = _mm512_loadu_si512(at);
    for (std::size_t g = 0; g < kFours; ++g)
      sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(codes.of[g][m], mask), q[g]);
    _mm512_storeu_si512(at, sum);
  }
}

void add_group(const quant::Columns& w, const ColumnList& list, std::size_t first, std::int32_t* sums) {
  const std::byte* columns[kColumnGroup];
  const std::size_t column_bytes = w.column_bytes();
  for (std::size_t i = 0; i < kColumnGroup; ++i) columns[i] = w.data + list.columns[first + i] * column_bytes;
  const std::size_t sums_of_token = column_sums(w);
  for (std::size_t at = 0; at < column_bytes; at += kLineBytes) {
    const Interleaved codes = interleave(columns, at);
    for (std::size_t t = 0; t < list.n_tokens; ++t) {
      const std::int8_t* q = list.q + t * list.stride + first;
      std::int32_t* const to = sums + t * sums_of_token + at * 4;
      __m512i of_four[kFours];
      for (std::size_t g = 0; g < kFours; ++g) of_four[g] = broadcast_4(q + 4 * g);
      add_quarter<0>(codes, of_four, to);
      add_quarter<1>(codes, of_four, to);
      add_quarter<2>(codes, of_four, to);
      add_quarter<3>(codes, of_four, to);
    }
  }
}

}  // namespace

void ternary_rows(const quant::Matrix& w, const std::uint32_t* rows, std::size_t n_rows,
                  const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  generic::for_listed_rows<kRows>(w.data, w.cols / 4, rows, n_rows, [&](auto n_together, std::size_t i) {
    for (std::size_t t = 0; t < n_tokens; ++t) rows_times_token<n_together>(w, rows + i, x, t, y);
  });
}

void add_columns(const quant::Columns& w, const ColumnList& list, std::int32_t* sums) {
  generic::for_column_groups(w, list, [&](std::size_t i) { add_group(w, list, i, sums); });
}

}  // namespace bitnet::kernels::avx512
