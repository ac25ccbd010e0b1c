// Prefill with SMMLA, which multiplies eight codes of two rows with eight activations of two tokens and adds
// to the four sums: [row][token]. Codes are unpacked once for many tokens, into pairs of rows, and
// activations laid out once for the rows of a panel, in pairs of tokens.
//
// Written once over where the codes come from, Source:
//   fill(panel, row, n_pairs, col, end)   the codes of rows [row, row + 2 n_pairs), zeros past the last
//   step_of(col), end_of_step(step)       the columns whose sum is taken exactly, before it is scaled
//   start(tokens, step, end)              what the sums of two tokens begin with
//   of_rows(row, step)                    what the sums of a pair of rows are multiplied with,
//   of_tokens(tokens, step)               and of a pair of tokens
//   scaled(total, sum, row, token)        a step's sums of two rows and two tokens, so multiplied and added
//   store(token, row, n_rows, totals)     the totals of up to four rows of one token
#pragma once

#include <arm_neon.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/generic/unrolled.h"

namespace bitnet::kernels::i8mm {

// Register tile: 4 x 4 pairs, so 16 sums, and 8 loads feed 16 multiplications of 32 products each.
inline constexpr std::size_t kTilePairs = 4;
inline constexpr std::size_t kTileTokens = 2 * kTilePairs;
// Unpacked weights that stay in L1 while all tokens pass by: 32 rows x 512 columns = 16 KiB, beside 4 KiB of
// activations.
inline constexpr std::size_t kPanelPairs = 16;
inline constexpr std::size_t kPanelRows = 2 * kPanelPairs;
inline constexpr std::size_t kPanelCols = 512;
// Tokens whose sums are kept at a time: 128 x 32 x 4 bytes = 16 KiB, and as much of totals, at home in L2.
inline constexpr std::size_t kTilesAtOnce = 16;

struct Panel {
  int8x16_t codes[kPanelCols / 8][kPanelPairs];
};

struct TokenTile {
  int8x16_t a[kPanelCols / 8][kTilePairs];
};

// Two tokens of a call.
struct TokenPair {
  std::size_t first;
  std::size_t second;
};

// A call's activations: those past the last token repeat it, and what they give is never stored.
struct Tokens {
  const std::int8_t* q;
  std::size_t stride;
  std::size_t n;

  TokenPair pair(std::size_t token) const { return {std::min(token, n - 1), std::min(token + 1, n - 1)}; }
};

static inline void lay_out(const Tokens& tokens, std::size_t token, std::size_t col, std::size_t end,
                           TokenTile& tile) {
  for (std::size_t p = 0; p < kTilePairs; ++p) {
    const TokenPair pair = tokens.pair(token + 2 * p);
    const std::int8_t* const first = tokens.q + pair.first * tokens.stride;
    const std::int8_t* const second = tokens.q + pair.second * tokens.stride;
    for (std::size_t at = col; at < end; at += 16) {
      const int64x2_t a = vreinterpretq_s64_s8(vld1q_s8(first + at));
      const int64x2_t b = vreinterpretq_s64_s8(vld1q_s8(second + at));
      tile.a[(at - col) / 8][p] = vreinterpretq_s8_s64(vzip1q_s64(a, b));
      tile.a[(at - col) / 8 + 1][p] = vreinterpretq_s8_s64(vzip2q_s64(a, b));
    }
  }
}

template <typename Vector>
using TileOf = Vector[kPanelPairs][kTilePairs];

// Columns [col, end), which the panel and the tile hold, of the tile's tokens from `token` on.
template <typename Source>
void multiply(const Source& source, const Panel& panel, const TokenTile& tile, const Tokens& tokens,
              std::size_t token, std::size_t row, std::size_t n_pairs, std::size_t col, std::size_t end,
              TileOf<int32x4_t>& sums, TileOf<float32x4_t>& totals) {
  using generic::for_each;
  using generic::unrolled;
  for (std::size_t first = 0; first < n_pairs; first += kTilePairs) {
    for (std::size_t begin = col; begin < end;) {
      const std::size_t step = source.step_of(begin);
      const std::size_t step_end = source.end_of_step(step);
      const std::size_t stop = std::min(step_end, end);
      int32x4_t sum[kTilePairs][kTilePairs];
      if (begin == step) {
        unrolled<kTilePairs>([&](auto t) __attribute__((always_inline)) {
          const int32x4_t start = source.start(tokens.pair(token + 2 * t), step, step_end);
          unrolled<kTilePairs>([&](auto r) { sum[r][t] = start; });
        });
      } else {
        for_each<kTilePairs, kTilePairs>([&](auto r, auto t) { sum[r][t] = sums[first + r][t]; });
      }
      for (std::size_t i = (begin - col) / 8; i < (stop - col) / 8; ++i) {
        int8x16_t codes[kTilePairs];
        unrolled<kTilePairs>([&](auto r) { codes[r] = panel.codes[i][first + r]; });
        unrolled<kTilePairs>([&](auto t) __attribute__((always_inline)) {
          const int8x16_t a = tile.a[i][t];
          unrolled<kTilePairs>([&](auto r) { sum[r][t] = vmmlaq_s32(sum[r][t], codes[r], a); });
        });
      }
      if (stop < step_end) {
        for_each<kTilePairs, kTilePairs>([&](auto r, auto t) { sums[first + r][t] = sum[r][t]; });
      } else {
        float32x4_t of_rows[kTilePairs];
        unrolled<kTilePairs>([&](auto r) { of_rows[r] = source.of_rows(row + 2 * (first + r), step); });
        unrolled<kTilePairs>([&](auto t) __attribute__((always_inline)) {
          const float32x4_t of_tokens = source.of_tokens(tokens.pair(token + 2 * t), step);
          unrolled<kTilePairs>([&](auto r) __attribute__((always_inline)) {
            float32x4_t& total = totals[first + r][t];
            total = source.scaled(total, sum[r][t], of_rows[r], of_tokens);
          });
        });
      }
      begin = stop;
    }
  }
}

// Rows [row, row_end), at most a panel of them, times tokens [first, end), at most kTilesAtOnce tiles.
template <typename Source>
void panel_times_tokens(const Source& source, const Tokens& tokens, std::size_t row, std::size_t row_end,
                        std::size_t first, std::size_t end) {
  constexpr std::size_t kTileRows = 2 * kTilePairs;
  const std::size_t n_pairs = (row_end - row + kTileRows - 1) / kTileRows * kTilePairs;
  TileOf<int32x4_t> sums[kTilesAtOnce];
  TileOf<float32x4_t> totals[kTilesAtOnce];
  Panel panel;
  TokenTile tile;
  const std::size_t n_tiles = (end - first + kTileTokens - 1) / kTileTokens;
  for (std::size_t i = 0; i < n_tiles; ++i) {
    for (std::size_t p = 0; p < n_pairs; ++p) {
      for (float32x4_t& total : totals[i][p]) total = vdupq_n_f32(0.0F);
    }
  }
  for (std::size_t col = 0; col < source.cols(); col += kPanelCols) {
    const std::size_t stop = std::min(col + kPanelCols, source.cols());
    source.fill(panel, row, n_pairs, col, stop);
    for (std::size_t i = 0; i < n_tiles; ++i) {
      const std::size_t token = first + i * kTileTokens;
      lay_out(tokens, token, col, stop, tile);
      multiply(source, panel, tile, tokens, token, row, n_pairs, col, stop, sums[i], totals[i]);
    }
  }
  for (std::size_t token = first; token < end; ++token) {
    const std::size_t t = (token - first) % kTileTokens / 2;
    const auto& of_tile = totals[(token - first) / kTileTokens];
    for (std::size_t r = row; r < row_end; r += 4) {
      const float32x4_t low = of_tile[(r - row) / 2][t];
      const float32x4_t high = of_tile[(r - row) / 2 + 1][t];
      source.store(token, r, std::min<std::size_t>(4, row_end - r),
                   (token - first) % 2 == 0 ? vuzp1q_f32(low, high) : vuzp2q_f32(low, high));
    }
  }
}

template <typename Source>
void gemm(const Source& source, const Tokens& tokens, std::size_t row_begin, std::size_t row_end) {
  for (std::size_t row = row_begin; row < row_end; row += kPanelRows) {
    for (std::size_t t = 0; t < tokens.n; t += kTilesAtOnce * kTileTokens)
      panel_times_tokens(source, tokens, row, std::min(row + kPanelRows, row_end), t,
                         std::min(t + kTilesAtOnce * kTileTokens, tokens.n));
  }
}

}  // namespace bitnet::kernels::i8mm
