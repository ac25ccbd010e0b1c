// Ternary products of listed rows and columns, 128 bits at a time (kernels/sparse.h).
#pragma once

#include <cstring>

#include "kernels/generic/listed.h"
#include "kernels/neon/gemv.h"
#include "kernels/neon/ternary.h"

namespace bitnet::kernels::neon {

inline constexpr std::size_t kColumnFours = kColumnGroup / 4;

template <typename Dots, std::size_t N>
void listed_rows_times_token(const quant::Matrix& w, const std::uint32_t* rows, const QuantizedRows& x,
                             std::size_t token, const OutputRows& y) {
  const std::size_t row_bytes = w.cols / 4;
  int32x4_t sum[N];
  sum_rows<Dots, N>([&](std::size_t r) { return w.data + rows[r] * row_bytes; }, row_bytes,
                    x.q + token * x.stride, false, sum);
  const Finish finish(w, x, token);
  for (std::size_t r = 0; r < N; ++r) y.y[token * y.stride + rows[r]] = finish(sum[r]);
}

template <typename Dots>
void ternary_rows(const quant::Matrix& w, const std::uint32_t* rows, std::size_t n_rows,
                  const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  generic::for_listed_rows<kGemvRows>(w.data, w.cols / 4, rows, n_rows, [&](auto n_together, std::size_t i) {
    for (std::size_t t = 0; t < n_tokens; ++t)
      listed_rows_times_token<Dots, n_together>(w, rows + i, x, t, y);
  });
}

// A quarter of a line of four columns, their codes side by side: vector m has the rows 16 m + i of each
// quarter of the rows in lane i, of the four lanes of sixteen.
struct FourColumns {
  uint8x16_t of[4];
};

static inline FourColumns interleave(const std::byte* const* columns, std::size_t at) {
  const uint8x16_t c0 = load_16(columns[0] + at);
  const uint8x16_t c1 = load_16(columns[1] + at);
  const uint8x16_t c2 = load_16(columns[2] + at);
  const uint8x16_t c3 = load_16(columns[3] + at);
  const uint16x8_t low01 = vreinterpretq_u16_u8(vzip1q_u8(c0, c1));
  const uint16x8_t high01 = vreinterpretq_u16_u8(vzip2q_u8(c0, c1));
  const uint16x8_t low23 = vreinterpretq_u16_u8(vzip1q_u8(c2, c3));
  const uint16x8_t high23 = vreinterpretq_u16_u8(vzip2q_u8(c2, c3));
  return {{vreinterpretq_u8_u16(vzip1q_u16(low01, low23)), vreinterpretq_u8_u16(vzip2q_u16(low01, low23)),
           vreinterpretq_u8_u16(vzip1q_u16(high01, high23)),
           vreinterpretq_u8_u16(vzip2q_u16(high01, high23))}};
}

static inline int8x16_t broadcast_four(const std::int8_t* q) {
  std::int32_t four;
  std::memcpy(&four, q, sizeof four);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

// Codes of a quarter of the rows, 4^f times as large, as the sums are kept; of the last, whose would be
// negative, the codes themselves.
template <int f>
inline int8x16_t quarter_codes(uint8x16_t codes) {
  if constexpr (f == 3) {
    return vreinterpretq_s8_u8(vshrq_n_u8(codes, 6));
  } else {
    return vreinterpretq_s8_u8(vandq_u8(codes, vdupq_n_u8(3 << (2 * f))));
  }
}

template <typename Dots, int f>
inline void add_products(std::int32_t* sums, const FourColumns* codes, std::size_t m, const int8x16_t* q) {
  auto sum = Dots::no_quads();
  for (std::size_t g = 0; g < kColumnFours; ++g)
    sum = Dots::add_quads(sum, quarter_codes<f>(codes[g].of[m]), q[g]);
  int32x4_t products = Dots::widen_add(vdupq_n_s32(0), sum);
  if constexpr (f == 3) products = vshlq_n_s32(products, 6);
  vst1q_s32(sums, vaddq_s32(vld1q_s32(sums), products));
}

template <typename Dots>
void add_column_group(const quant::Columns& w, const ColumnList& list, std::size_t first,
                      std::int32_t* sums) {
  const std::byte* columns[kColumnGroup];
  const std::size_t column_bytes = w.column_bytes();
  for (std::size_t i = 0; i < kColumnGroup; ++i) columns[i] = w.data + list.columns[first + i] * column_bytes;
  const std::size_t sums_of_token = column_sums(w);
  for (std::size_t at = 0; at < column_bytes; at += kVectorBytes) {
    FourColumns codes[kColumnFours];
    for (std::size_t g = 0; g < kColumnFours; ++g) codes[g] = interleave(columns + 4 * g, at);
    const std::size_t row = at / 64 * 256 + at % 64 / 16 * 4;
    for (std::size_t t = 0; t < list.n_tokens; ++t) {
      int8x16_t q[kColumnFours];
      for (std::size_t g = 0; g < kColumnFours; ++g)
        q[g] = broadcast_four(list.q + t * list.stride + first + 4 * g);
      for (std::size_t m = 0; m < 4; ++m) {
        std::int32_t* const to = sums + t * sums_of_token + row + 16 * m;
        add_products<Dots, 0>(to, codes, m, q);
        add_products<Dots, 1>(to + 64, codes, m, q);
        add_products<Dots, 2>(to + 128, codes, m, q);
        add_products<Dots, 3>(to + 192, codes, m, q);
      }
    }
  }
}

template <typename Dots>
void add_columns(const quant::Columns& w, const ColumnList& list, std::int32_t* sums) {
  generic::for_column_groups(w, list, [&](std::size_t i) { add_column_group<Dots>(w, list, i, sums); });
}

}  // namespace bitnet::kernels::neon
