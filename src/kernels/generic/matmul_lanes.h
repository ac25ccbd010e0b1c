// Products of codes in lanes with int8 activations, written once over the instructions I of a backend.
//
// Few tokens take the codes straight from memory, many from unpacked panels (lane_panels.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/generic/lane_codes.h"
#include "kernels/generic/lane_panels.h"
#include "kernels/kernels.h"
#include "quant/lanes.h"

namespace bitnet::kernels::generic {

// Where four activations of a token are.
struct RowInput {
  const std::int8_t* q;
  std::size_t stride;
  const std::int8_t* at(std::size_t col, std::size_t t) const { return q + t * stride + col; }
};
struct TileInput {
  const std::int8_t* tiles;
  std::size_t stride;
  const std::int8_t* at(std::size_t col, std::size_t t) const {
    constexpr std::size_t kTokens = QuantizedBlocks::kTileTokens;
    return tiles + t / kTokens * kTokens * stride + col * kTokens + t % kTokens * 4;
  }
};

// What is asked for goes to the second cache: the first has too few requests under way at a time for the
// memory's rate. On a Zen 4 this decodes a fifth faster.
inline constexpr int kToSecondCache = 2;

// Sums of P vectors of rows and N tokens over lines [line, end) of a step.
template <typename I, CodeKind kind, std::size_t P, std::size_t N, typename Input, typename Sum>
inline void add_lines(const std::byte* const (&lines)[P], std::size_t line, std::size_t end,
                      const Input& input, typename I::Int table, Sum (&sums)[P][N]) {
  constexpr std::size_t kFields = fields_of(kind);
  for (; line < end; ++line) {
    typename I::Int words[P];
    for (std::size_t p = 0; p < P; ++p) {
      const std::byte* at = lines[p] + line * quant::lanes::kLineBytes;
      if constexpr (I::kPrefetchBytes > 0 && N <= 4) {
        if (p % I::kParts == 0) __builtin_prefetch(at + I::kPrefetchBytes, 0, kToSecondCache);
      }
      words[p] = I::load(at);
    }
    unrolled<kFields>([&](auto field) __attribute__((always_inline)) {
      typename I::Int u[P];
      unrolled<P>([&](auto p) { u[p] = codes_of<I, kind, field>(words[p], table); });
      unrolled<N>([&](auto t) __attribute__((always_inline)) {
        const typename I::Int a = broadcast_4<I>(input.at((line * kFields + field) * 4, t));
        unrolled<P>([&](auto p) { sums[p][t] = I::add(sums[p][t], u[p], a); });
      });
    });
  }
}

// G groups of 16 rows, `apart` from each other, and N tokens.
template <typename I, CodeKind kind, std::size_t G, std::size_t N, typename Input>
void lane_tile(const LaneProduct& product, std::size_t group, std::size_t apart, const Input& input,
               std::size_t token) {
  constexpr std::size_t P = G * I::kParts;
  const quant::Matrix& w = product.w;
  const typename I::Int table = table_of<I>(w.lanes.codebook);
  const std::size_t columns = fields_of(kind) * 4;

  const std::byte* lines[P];
  const auto group_of = [&](std::size_t p) { return group + p / I::kParts * apart; };
  for (std::size_t p = 0; p < P; ++p)
    lines[p] = product.scales(group_of(p)) + quant::lanes::scale_bytes(w.lanes, w.cols) +
               p % I::kParts * I::kLanes * sizeof(std::uint32_t);
  typename I::Float total[P][N];
  for_each<P, N>([&](auto p, auto t) { total[p][t] = I::broadcast(0.0F); });
  for (std::size_t col = 0; col < w.cols;) {
    const std::size_t end = product.end_of_step(col);
    typename I::Int sums[P][N];
    unrolled<N>([&](auto t) __attribute__((always_inline)) {
      const typename I::Int first = product.template taken_off<I, kind>(token + t, col, end);
      unrolled<P>([&](auto p) { sums[p][t] = first; });
    });
    if constexpr (I::kLinesInSum == 0) {
      add_lines<I, kind>(lines, col / columns, end / columns, input, table, sums);
    } else {
      constexpr std::size_t kLines = lines_in_sum<I, kind>();
      for (std::size_t line = col / columns; line < end / columns; line += kLines) {
        typename I::Narrow narrow[P][N];
        for_each<P, N>([&](auto p, auto t) { narrow[p][t] = I::no_products(); });
        add_lines<I, kind>(lines, line, line + kLines < end / columns ? line + kLines : end / columns, input,
                           table, narrow);
        for_each<P, N>([&](auto p, auto t) { sums[p][t] = I::add_narrow(sums[p][t], narrow[p][t]); });
      }
    }
    typename I::Float d[P];
    unrolled<P>([&](auto p) { d[p] = product.template scale_of<I>(group_of(p), p % I::kParts, col); });
    unrolled<N>([&](auto t) __attribute__((always_inline)) {
      const typename I::Float unit = product.template unit_of<I>(token + t, col);
      unrolled<P>([&](auto p) { total[p][t] = add_step<I>(total[p][t], sums[p][t], d[p], unit); });
    });
    col = end;
  }
  for (std::size_t p = 0; p < P; ++p) {
    for (std::size_t t = 0; t < N; ++t)
      product.template store<I>(group_of(p), p % I::kParts, token + t, total[p][t]);
  }
}

// From this many tokens on, unpacking the codes to memory pays.
inline constexpr std::size_t kPanelTokens = 16;

// Of G streams: what they ask for from then on lies behind it.
template <typename I, std::size_t G>
void prefetch_beginnings(const LaneProduct& product, std::size_t group, std::size_t apart) {
  for (std::size_t at = 0; at < I::kPrefetchBytes; at += quant::lanes::kLineBytes) {
    for (std::size_t g = 0; g < G; ++g)
      __builtin_prefetch(product.scales(group + g * apart) + at, 0, kToSecondCache);
  }
}

// Tokens [token, token + N) of groups [group, end): G of them together, so that one load of activations
// serves them all. They come from as many parts of the range: each is then one long sequential stream, which
// the processor's own prefetching follows.
template <typename I, CodeKind kind, std::size_t G, std::size_t N, typename Input>
void lane_groups(const LaneProduct& product, std::size_t group, std::size_t end, const Input& input,
                 std::size_t token) {
  const std::size_t apart = (end - group) / G;
  if (N <= 4 && apart > 0) prefetch_beginnings<I, G>(product, group, apart);
  for (std::size_t i = 0; i < apart; ++i) lane_tile<I, kind, G, N>(product, group + i, apart, input, token);
  if constexpr (G > 1) {
    for (group += G * apart; group < end; ++group) lane_tile<I, kind, 1, N>(product, group, 0, input, token);
  }
}

template <typename I, CodeKind kind>
void matmul_lanes_of(const LaneProduct& product, std::size_t group, std::size_t end, std::size_t n_tokens) {
  const QuantizedBlocks& x = product.x;
  std::size_t t = 0;
  if (x.tiles != nullptr) {
    const std::size_t n_in_tiles = n_tokens / QuantizedBlocks::kTileTokens * QuantizedBlocks::kTileTokens;
    const auto tiles = [&] {
      constexpr std::size_t kTokens = QuantizedBlocks::kTileTokens;
      return TileInput{x.tiles + t / kTokens * kTokens * x.stride + t % kTokens * 4, x.stride};
    };
    if constexpr (I::kPanelGroups > 0) {
      if (n_tokens >= kPanelTokens) {
        t = n_in_tiles;
        lane_panels<I, kind>(product, group, end, t);
      }
    }
    for (; t < n_in_tiles; t += I::kTileTokens)
      lane_groups<I, kind, I::kGroupsOfTile, I::kTileTokens>(product, group, end, tiles(), t);
  }
  const auto rows = [&] { return RowInput{x.q + t * x.stride, x.stride}; };
  if constexpr (I::kGroupsOf4 > 0) {
    for (; t + 4 <= n_tokens; t += 4) lane_groups<I, kind, I::kGroupsOf4, 4>(product, group, end, rows(), t);
  }
  for (; t + 2 <= n_tokens; t += 2) lane_groups<I, kind, I::kGroupsOf2, 2>(product, group, end, rows(), t);
  for (; t < n_tokens; ++t) lane_groups<I, kind, I::kGroupsOf1, 1>(product, group, end, rows(), t);
}

template <typename I>
void matmul_lanes(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                  const QuantizedBlocks& x, std::size_t n_tokens, const OutputRows& y) {
  const LaneProduct product(w, x, y);
  const std::size_t group = row_begin / quant::lanes::kRows;
  const std::size_t end = quant::lanes::groups_of(row_end);
  switch (kind_of(w.lanes.codebook)) {
    case CodeKind::two_bits:
      return matmul_lanes_of<I, CodeKind::two_bits>(product, group, end, n_tokens);
    case CodeKind::one_bit:
      return matmul_lanes_of<I, CodeKind::one_bit>(product, group, end, n_tokens);
    case CodeKind::looked_up:
      return matmul_lanes_of<I, CodeKind::looked_up>(product, group, end, n_tokens);
  }
}

}  // namespace bitnet::kernels::generic
