// Products of codes in lanes with the int8 activations of many tokens: codes are unpacked once for all of
// them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/generic/lane_codes.h"

namespace bitnet::kernels::generic {

// Unpacked codes that stay in L1 while all tokens pass by: at most 48 rows x 512 columns = 24 KiB.
inline constexpr std::size_t kPanelCols = 512;
// Tokens whose sums are kept at a time: 128 x 48 x 4 bytes = 24 KiB, at home in L2.
inline constexpr std::size_t kPanelTokenBlock = 128;

// The codes u of some columns of G groups of rows, and for each token what has been added up of them.
template <typename I, std::size_t G>
struct LanePanel {
  static constexpr std::size_t kVectors = G * I::kParts;

  typename I::Int u[kPanelCols / 4][kVectors];
  typename I::Int sums[kPanelTokenBlock][kVectors];      // of the step so far
  typename I::Float totals[kPanelTokenBlock][kVectors];  // of the steps before
};

template <typename I, CodeKind kind, std::size_t G>
void unpack(LanePanel<I, G>& panel, const LaneProduct& product, std::size_t group, std::size_t col,
            std::size_t end) {
  const quant::Matrix& w = product.w;
  constexpr std::size_t kFields = fields_of(kind);
  constexpr std::size_t kColumns = kFields * 4;
  const typename I::Int table = table_of<I>(w.lanes.codebook);
  for (std::size_t p = 0; p < G * I::kParts; ++p) {
    const std::byte* lines = product.scales(group + p / I::kParts) +
                             quant::lanes::scale_bytes(w.lanes, w.cols) +
                             p % I::kParts * I::kLanes * sizeof(std::uint32_t);
    for (std::size_t line = col / kColumns; line < end / kColumns; ++line) {
      const typename I::Int words = I::load(lines + line * quant::lanes::kLineBytes);
      typename I::Int(*to)[G * I::kParts] = panel.u + (line * kFields - col / 4);
      unrolled<kFields>([&](auto field) { to[field][p] = codes_of<I, kind, field>(words, table); });
    }
  }
}

// Columns [quad, end) of the panel in fours, of a tile of tokens.
template <typename I, std::size_t P, std::size_t N>
[[gnu::always_inline]] inline void add_quads(const typename I::Int (*u)[P], std::size_t quad, std::size_t end,
                                             const std::int8_t* tile, typename I::Int (&sums)[N][P]) {
  for (; quad < end; ++quad) {
    typename I::Int codes[P];
    unrolled<P>([&](auto p) { codes[p] = u[quad][p]; });
    unrolled<N>([&](auto t) __attribute__((always_inline)) {
      const typename I::Int a = broadcast_4<I>(tile + (quad * QuantizedBlocks::kTileTokens + t) * 4);
      unrolled<P>([&](auto p) { sums[t][p] = I::add(sums[t][p], codes[p], a); });
    });
  }
}

// Columns [col, end), which the panel holds, of a tile of N tokens from `token` on, number `at` of the block.
template <typename I, CodeKind kind, std::size_t G>
void multiply_panel(LanePanel<I, G>& panel, const LaneProduct& product, std::size_t group, std::size_t col,
                    std::size_t end, std::size_t token, std::size_t at) {
  constexpr std::size_t N = I::kTileTokens;
  constexpr std::size_t P = G * I::kParts;
  constexpr std::size_t kTokens = QuantizedBlocks::kTileTokens;
  const QuantizedBlocks& x = product.x;
  const std::int8_t* tile =
      x.tiles + token / kTokens * kTokens * x.stride + col * kTokens + token % kTokens * 4;
  for (std::size_t begin = col; begin < end;) {
    const std::size_t step = product.step_of(begin);
    const std::size_t step_end = product.end_of_step(step);
    const std::size_t stop = step_end < end ? step_end : end;
    typename I::Int sums[N][P];
    if (begin == step) {
      unrolled<N>([&](auto t) __attribute__((always_inline)) {
        const typename I::Int first = product.template taken_off<I, kind>(token + t, step, step_end);
        unrolled<P>([&](auto p) { sums[t][p] = first; });
      });
    } else {
      for_each<N, P>([&](auto t, auto p) { sums[t][p] = panel.sums[at + t][p]; });
    }
    add_quads<I, P, N>(panel.u, (begin - col) / 4, (stop - col) / 4, tile, sums);
    if (stop < step_end) {
      for_each<N, P>([&](auto t, auto p) { panel.sums[at + t][p] = sums[t][p]; });
    } else {
      typename I::Float d[P];
      unrolled<P>(
          [&](auto p) { d[p] = product.template scale_of<I>(group + p / I::kParts, p % I::kParts, step); });
      unrolled<N>([&](auto t) __attribute__((always_inline)) {
        const typename I::Float unit = product.template unit_of<I>(token + t, step);
        unrolled<P>([&](auto p) __attribute__((always_inline)) {
          typename I::Float& total = panel.totals[at + t][p];
          total = add_step<I>(total, sums[t][p], d[p], unit);
        });
      });
    }
    begin = stop;
  }
}

template <typename I, CodeKind kind, std::size_t G>
void groups_times_tokens(const LaneProduct& product, std::size_t group, std::size_t first,
                         std::size_t n_tokens) {
  const quant::Matrix& w = product.w;
  LanePanel<I, G> panel;
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (auto& total : panel.totals[t]) total = I::broadcast(0.0F);
  }
  for (std::size_t col = 0; col < w.cols; col += kPanelCols) {
    const std::size_t end = col + kPanelCols < w.cols ? col + kPanelCols : w.cols;
    unpack<I, kind, G>(panel, product, group, col, end);
    for (std::size_t t = 0; t < n_tokens; t += I::kTileTokens)
      multiply_panel<I, kind, G>(panel, product, group, col, end, first + t, t);
  }
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (std::size_t p = 0; p < G * I::kParts; ++p)
      product.template store<I>(group + p / I::kParts, p % I::kParts, first + t, panel.totals[t][p]);
  }
}

// Tokens [0, n_tokens), whole tiles, of groups [group, end).
template <typename I, CodeKind kind>
void lane_panels(const LaneProduct& product, std::size_t group, std::size_t end, std::size_t n_tokens) {
  static_assert(I::kLinesInSum == 0, "sums are not widened on the way");
  for (std::size_t first = 0; first < n_tokens; first += kPanelTokenBlock) {
    const std::size_t n = first + kPanelTokenBlock < n_tokens ? kPanelTokenBlock : n_tokens - first;
    std::size_t g = group;
    for (; g + I::kPanelGroups <= end; g += I::kPanelGroups)
      groups_times_tokens<I, kind, I::kPanelGroups>(product, g, first, n);
    if constexpr (I::kPanelGroups > 1) {
      for (; g < end; ++g) groups_times_tokens<I, kind, 1>(product, g, first, n);
    }
  }
}

}  // namespace bitnet::kernels::generic
