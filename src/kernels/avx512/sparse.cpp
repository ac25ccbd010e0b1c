#include "kernels/avx512/sparse.h"

#include "kernels/avx512/ternary.h"

namespace bitnet::kernels::avx512 {
namespace {

// Rows worked on together: one load of activations serves them all.
constexpr std::size_t kRows = 4;
constexpr std::size_t kFours = kColumnGroup / 4;
// How many rows or columns of a list ahead are asked for, whole. Into L2: on a Zen 4 the first cache has
// buffers for a third fewer lines under way.
constexpr std::size_t kRowsAhead = 32;
constexpr std::size_t kColumnsAhead = 64;

constexpr std::size_t kLineBytes = quant::Columns::kLineBytes;

// Runs of n_bytes at `numbers`[0, n), the first lines of all first: more of the memory's pages are open then.
void ask_for(const std::byte* data, const std::uint32_t* numbers, std::size_t n, std::size_t n_bytes) {
  for (std::size_t at = 0; at < n_bytes; at += 64) {
    for (std::size_t i = 0; i < n; ++i)
      _mm_prefetch(reinterpret_cast<const char*>(data + numbers[i] * n_bytes + at), _MM_HINT_T1);
  }
}

__m512i multiply_add(__m512i sum, __m512i packed, const __m512i* a) {
  const __m512i mask = _mm512_set1_epi8(3);
  sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(_mm512_srli_epi16(packed, 6), mask), a[0]);
  sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(_mm512_srli_epi16(packed, 4), mask), a[1]);
  sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(_mm512_srli_epi16(packed, 2), mask), a[2]);
  return _mm512_dpbusd_epi32(sum, _mm512_and_si512(packed, mask), a[3]);
}

__m512i load_two(const void* first, const void* second) {
  const __m256i low = _mm256_loadu_si256(static_cast<const __m256i*>(first));
  const __m256i high = _mm256_loadu_si256(static_cast<const __m256i*>(second));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

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
    const std::int8_t* first = q + at * 4;
    __m512i a[4];
    for (std::size_t k = 0; k < 4; ++k) a[k] = load_two(first + 32 * k, first + 128 + 32 * k);
    for (std::size_t r = 0; r < N; ++r) sum[r] = multiply_add(sum[r], load_64(codes[r] + at), a);
  }
  if (at < row_bytes) {
    const auto load_32 = [](const void* p) {
      return _mm512_zextsi256_si512(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
    };
    __m512i a[4];
    for (std::size_t k = 0; k < 4; ++k) a[k] = load_32(q + at * 4 + 32 * k);
    for (std::size_t r = 0; r < N; ++r) sum[r] = multiply_add(sum[r], load_32(codes[r] + at), a);
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

__m512i broadcast_4(const std::int8_t* q) {
  std::int32_t four;
  __builtin_memcpy(&four, q, sizeof four);
  return _mm512_set1_epi32(four);
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
  const std::size_t row_bytes = w.cols / 4;
  ask_for(w.data, rows, n_rows < kRowsAhead ? n_rows : kRowsAhead, row_bytes);
  std::size_t i = 0;
  for (; i + kRows <= n_rows; i += kRows) {
    if (i + kRowsAhead + kRows <= n_rows) ask_for(w.data, rows + i + kRowsAhead, kRows, row_bytes);
    for (std::size_t t = 0; t < n_tokens; ++t) rows_times_token<kRows>(w, rows + i, x, t, y);
  }
  for (; i < n_rows; ++i) {
    for (std::size_t t = 0; t < n_tokens; ++t) rows_times_token<1>(w, rows + i, x, t, y);
  }
}

void add_columns(const quant::Columns& w, const ColumnList& list, std::int32_t* sums) {
  const std::size_t column_bytes = w.column_bytes();
  ask_for(w.data, list.columns, list.n < kColumnsAhead ? list.n : kColumnsAhead, column_bytes);
  for (std::size_t i = 0; i < list.n; i += kColumnGroup) {
    if (i + kColumnsAhead < list.n)
      ask_for(w.data, list.columns + i + kColumnsAhead, kColumnGroup, column_bytes);
    add_group(w, list, i, sums);
  }
}

}  // namespace bitnet::kernels::avx512
