// Products with weights that are not ternary, straight from the stored values, written once over the 16-lane
// float V of a backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/generic/blocks.h"
#include "kernels/generic/elementwise.h"
#include "kernels/generic/float_panels.h"
#include "kernels/generic/k_blocks.h"
#include "kernels/kernels.h"
#include "quant/i8_rows.h"

namespace bitnet::kernels::generic {

// How a stored element type is loaded.
struct LoadF32 {
  using Stored = float;
  template <typename V>
  static V load(const float* p, std::size_t m) {
    return load_up_to_16<V>(p, m);
  }
};
struct LoadF16 {
  using Stored = std::uint16_t;
  template <typename V>
  static V load(const std::uint16_t* p, std::size_t m) {
    return load_up_to_16<V>(p, m);
  }
};
struct LoadBf16 {
  using Stored = std::uint16_t;
  template <typename V>
  static V load(const std::uint16_t* p, std::size_t m) {
    return m == 16 ? V::load_bf16(p) : V::load_bf16(p, m);
  }
};

struct LoadI8 {
  using Stored = std::int8_t;
  template <typename V>
  static V load(const std::int8_t* p, std::size_t m) {
    if (m == 16) return V::load_i8(p);
    std::int8_t padded[16] = {};
    for (std::size_t i = 0; i < m; ++i) padded[i] = p[i];
    return V::load_i8(padded);
  }
};

// Rows of one token that are computed together: their sums are independent chains, which hides the latency
// of the fused multiply-add, and each load of x serves them all. With several tokens kRows and kTokens of
// what reads the rows are, and each load of a weight serves the tokens.
inline constexpr std::size_t kRowTile = 4;

// Loops over the sums of a tile are unrolled by order: what is left to GCC it keeps in memory where a sum is
// several registers. Not so for many rows and tokens at once: with AVX-512 that costs a fifth.

// sum[t][r] += weight(r) * input(t), each read once.
template <std::size_t R, std::size_t T, typename V, typename Weight, typename Input>
inline void add_products(V (&sum)[T][R], Weight weight, Input input) {
  if constexpr (T == 1) {
    const V x = input(0);
#pragma GCC unroll 4
    for (std::size_t r = 0; r < R; ++r) sum[0][r] = fma(weight(r), x, sum[0][r]);
  } else {
    V w[R];
    for (std::size_t r = 0; r < R; ++r) w[r] = weight(r);
    for (std::size_t t = 0; t < T; ++t) {
      const V x = input(t);
      for (std::size_t r = 0; r < R; ++r) sum[t][r] = fma(w[r], x, sum[t][r]);
    }
  }
}

// Rows row, row + step, ... times T tokens. Elements one after another.
template <typename V, typename Load>
struct ElementRows {
  using Stored = typename Load::Stored;
  // Loading a weight again costs less than rows that are read two at a time.
  static constexpr bool kShares = V::kTileRows >= kRowTile;
  static constexpr std::size_t kRows = kShares ? V::kTileRows : kRowTile;
  static constexpr std::size_t kTokens = kShares ? V::kTileTokens : 1;
  // Whether many tokens take weights from panels: not where their inputs alone fill the registers and loading
  // a weight costs little more than a float.
  static constexpr bool kInPanels = kShares || std::is_same_v<Stored, float>;

  // ahead: asks for what comes behind in memory.
  template <std::size_t R, std::size_t T, bool ahead>
  static void times_tokens(const quant::Matrix& w, std::size_t row, std::size_t step, const FloatRows& x,
                           const OutputRows& y) {
    const Stored* data = reinterpret_cast<const Stored*>(w.data) + row * w.cols;
    V sum[T][R];
#pragma GCC unroll 4
    for (auto& of_token : sum) {
#pragma GCC unroll 4
      for (V& s : of_token) s = V::zero();
    }
    constexpr std::size_t kLine = 64 / sizeof(Stored);
    std::size_t i = 0;
    for (; i + kLine <= w.cols; i += kLine) {
      if constexpr (ahead && V::kPrefetchBytes > 0) {
#pragma GCC unroll 4
        for (std::size_t r = 0; r < R; ++r)
          __builtin_prefetch(reinterpret_cast<const char*>(data + r * step * w.cols + i) + V::kPrefetchBytes);
      }
      for (std::size_t part = i; part < i + kLine; part += 16) {
        add_products<R, T>(
            sum, [&](std::size_t r) { return Load::template load<V>(data + r * step * w.cols + part, 16); },
            [&](std::size_t t) { return V::load(x.x + t * x.stride + part); });
      }
    }
    for_each_16(w.cols - i, [&](std::size_t offset, std::size_t m) {
      const std::size_t at = i + offset;
      add_products<R, T>(
          sum, [&](std::size_t r) { return Load::template load<V>(data + r * step * w.cols + at, m); },
          [&](std::size_t t) { return load_up_to_16<V>(x.x + t * x.stride + at, m); });
    });
#pragma GCC unroll 4
    for (std::size_t t = 0; t < T; ++t) {
#pragma GCC unroll 4
      for (std::size_t r = 0; r < R; ++r)
        y.y[t * y.stride + row + r * step] = reduce_add(sum[t][r]) * w.scale;
    }
  }

  static void decode(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end,
                     float* out) {
    const auto* data = reinterpret_cast<const typename Load::Stored*>(w.data) + row * w.cols + begin;
    for_each_16(end - begin,
                [&](std::size_t i, std::size_t m) { Load::template load<V>(data + i, m).store(out + i, m); });
  }
};

// Rows of int8 with a scale each.
template <typename V>
struct ScaledRows {
  using Codes = ElementRows<V, LoadI8>;
  static constexpr std::size_t kRows = Codes::kRows;
  static constexpr std::size_t kTokens = Codes::kTokens;
  static constexpr bool kInPanels = false;  // a row's scale multiplies its product

  template <std::size_t R, std::size_t T, bool ahead>
  static void times_tokens(const quant::Matrix& w, std::size_t row, std::size_t step, const FloatRows& x,
                           const OutputRows& y) {
    Codes::template times_tokens<R, T, ahead>(w, row, step, x, y);
#pragma GCC unroll 4
    for (std::size_t t = 0; t < T; ++t) {
#pragma GCC unroll 4
      for (std::size_t r = 0; r < R; ++r)
        y.y[t * y.stride + row + r * step] *= quant::i8_rows::scales(w)[row + r * step];
    }
  }

  static void decode(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end,
                     float* out) {
    Codes::decode(w, row, begin, end, out);
    const V scale = V::broadcast(quant::i8_rows::scales(w)[row]);
    for_each_16(end - begin, [&](std::size_t i, std::size_t m) {
      (load_up_to_16<V>(out + i, m) * scale).store(out + i, m);
    });
  }
};

// Calls body with the number of each 32 elements of a block, as a constant.
template <typename Block, typename Body>
inline void for_each_part(Body body) {
  [&]<std::size_t... Part>(std::index_sequence<Part...>) {
    (body(std::integral_constant<std::size_t, Part>{}), ...);
  }
  (std::make_index_sequence<Block::kElements / 32>{});
}

// Whole blocks of a row.
template <typename Reader>
void decode_blocks(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end, float* out) {
  using Block = typename Reader::Block;
  const Block* blocks = reinterpret_cast<const Block*>(w.data) + row * (w.cols / Block::kElements);
  for (std::size_t i = begin; i < end; i += Block::kElements, out += Block::kElements) {
    Reader reader;
    reader.open(blocks[i / Block::kElements]);
    for_each_part<Block>([&](auto part) {
      const auto v = reader.template values<part>();
      v[0].store(out + 32 * part);
      v[1].store(out + 32 * part + 16);
    });
  }
}

// The same for rows of blocks.
template <typename V, typename Reader>
struct BlockRows {
  using Block = typename Reader::Block;
  static constexpr std::size_t kRows = V::kTileRows;
  static constexpr std::size_t kTokens = V::kTileTokens;
  // Not where a tile's tokens are so many that small blocks cost little: on a Zen 5 Q8_0 is a tenth faster
  // so, Q6_K a third slower.
  static constexpr bool kInPanels = kTokens < 4 || Block::kElements > 32;

  template <std::size_t R, std::size_t T, bool ahead>
  static void times_tokens(const quant::Matrix& w, std::size_t row, std::size_t step, const FloatRows& x,
                           const OutputRows& y) {
    const std::size_t n_blocks = w.cols / Block::kElements;
    const Block* blocks = reinterpret_cast<const Block*>(w.data) + row * n_blocks;
    V sum[T][R];
#pragma GCC unroll 4
    for (auto& of_token : sum) {
#pragma GCC unroll 4
      for (V& s : of_token) s = V::zero();
    }
    for (std::size_t b = 0; b < n_blocks; ++b) {
      Reader reader[R];
#pragma GCC unroll 4
      for (std::size_t r = 0; r < R; ++r) {
        const Block* block = blocks + r * step * n_blocks + b;
        if constexpr (ahead) prefetch(block);
        reader[r].open(*block);
      }
      const float* at = x.x + b * Block::kElements;
      for_each_part<Block>([&](auto part) {
        Values<V> v[R];
#pragma GCC unroll 4
        for (std::size_t r = 0; r < R; ++r) v[r] = reader[r].template values<part>();
#pragma GCC unroll 4
        for (std::size_t t = 0; t < T; ++t) {
          const V first = V::load(at + t * x.stride + 32 * part);
          const V second = V::load(at + t * x.stride + 32 * part + 16);
#pragma GCC unroll 4
          for (std::size_t r = 0; r < R; ++r)
            sum[t][r] = fma(v[r][1], second, fma(v[r][0], first, sum[t][r]));
        }
      });
    }
#pragma GCC unroll 4
    for (std::size_t t = 0; t < T; ++t) {
#pragma GCC unroll 4
      for (std::size_t r = 0; r < R; ++r)
        y.y[t * y.stride + row + r * step] = reduce_add(sum[t][r]) * w.scale;
    }
  }

  static void decode(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end,
                     float* out) {
    decode_blocks<Reader>(w, row, begin, end, out);
  }

 private:
  // Blocks are not whole cache lines: some lines are asked for twice.
  static void prefetch(const Block* block) {
    if constexpr (V::kPrefetchBytes > 0) {
      for (std::size_t at = 0; at < sizeof(Block); at += 64)
        __builtin_prefetch(reinterpret_cast<const char*>(block) + V::kPrefetchBytes + at);
    }
  }
};

// R rows times all tokens, at most N at a time: the first of them bring the rows near.
template <typename Rows, std::size_t R, std::size_t N, bool ahead = true>
void rows_times_tokens(const quant::Matrix& w, std::size_t row, std::size_t step, FloatRows x,
                       std::size_t n_tokens, OutputRows y) {
  if (n_tokens >= N) {
    Rows::template times_tokens<R, N, ahead>(w, row, step, x, y);
    for (n_tokens -= N; n_tokens >= N; n_tokens -= N) {
      x.x += N * x.stride;
      y.y += N * y.stride;
      Rows::template times_tokens<R, N, false>(w, row, step, x, y);
    }
    if (n_tokens == 0) return;
    x.x += N * x.stride;
    y.y += N * y.stride;
    if constexpr (N > 1) rows_times_tokens<Rows, R, N - 1, false>(w, row, step, x, n_tokens, y);
  } else if constexpr (N > 1) {
    rows_times_tokens<Rows, R, N - 1, ahead>(w, row, step, x, n_tokens, y);
  }
}

// Rows of a tile come from equal parts of the range: long sequential streams, which memory serves better than
// such as jump from row to row.
template <typename Rows, std::size_t R, std::size_t N>
void matmul_tiles(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const FloatRows& x,
                  std::size_t n_tokens, const OutputRows& y) {
  const std::size_t part = (row_end - row_begin) / R;
  for (std::size_t r = row_begin; r < row_begin + part; ++r)
    rows_times_tokens<Rows, R, N>(w, r, part, x, n_tokens, y);
  for (std::size_t r = row_begin + R * part; r < row_end; ++r)
    rows_times_tokens<Rows, 1, N>(w, r, 0, x, n_tokens, y);
}

// Calls use.operator()<Rows>() with what knows how rows of w's type are stored. Ternary and coded types have
// kernels of their own.
template <typename V, typename Use>
void with_rows_of(quant::TensorType type, Use use) {
  switch (type) {
    case quant::TensorType::f32:
      return use.template operator()<ElementRows<V, LoadF32>>();
    case quant::TensorType::f16:
      return use.template operator()<ElementRows<V, LoadF16>>();
    case quant::TensorType::bf16:
      return use.template operator()<ElementRows<V, LoadBf16>>();
    case quant::TensorType::q8_0:
      return use.template operator()<BlockRows<V, Q8_0<V>>>();
    case quant::TensorType::q6_k:
      return use.template operator()<BlockRows<V, Q6_K<V>>>();
    case quant::TensorType::q4_0:
      return use.template operator()<BlockRows<V, Q4_0<V>>>();
    case quant::TensorType::i8_rows:
      return use.template operator()<ScaledRows<V>>();
    default:
      break;
  }
}

// Of the types that are decoded first: a kernel for each would take long to compile, and few heads have them.
template <typename V>
Decode* decoder_of(quant::TensorType type) {
  switch (type) {
    case quant::TensorType::q5_k:
      return decode_blocks<Q5_K<V>>;
    case quant::TensorType::q4_k:
      return decode_blocks<Q4_K<V>>;
    case quant::TensorType::q3_k:
      return decode_blocks<Q3_K<V>>;
    case quant::TensorType::q2_k:
      return decode_blocks<Q2_K<V>>;
    case quant::TensorType::q5_1:
      return decode_blocks<Q5_1<V>>;
    case quant::TensorType::q5_0:
      return decode_blocks<Q5_0<V>>;
    case quant::TensorType::q4_1:
      return decode_blocks<Q4_1<V>>;
    case quant::TensorType::iq4_nl:
      return decode_blocks<IQ4_NL<V>>;
    default:
      return nullptr;
  }
}

template <typename V>
void matmul_float(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const FloatRows& x,
                  std::size_t n_tokens, const OutputRows& y) {
  if (Decode* decode = decoder_of<V>(w.type))
    return matmul_of_decoded<V>(decode, w, row_begin, row_end, x, n_tokens, y);
  with_rows_of<V>(w.type, [&]<typename Rows>() {
    if (Rows::kInPanels && n_tokens >= FloatPanel::kLeastTokens) {
      matmul_panels<V>(Rows::decode, w, row_begin, row_end, x, n_tokens, y);
    } else if (n_tokens == 1) {
      matmul_tiles<Rows, kRowTile, 1>(w, row_begin, row_end, x, 1, y);
    } else {
      matmul_tiles<Rows, Rows::kRows, Rows::kTokens>(w, row_begin, row_end, x, n_tokens, y);
    }
  });
}

template <typename V>
void decode_float(const quant::Matrix& w, std::size_t row, float* out) {
  if (Decode* decode = decoder_of<V>(w.type)) return decode(w, row, 0, w.cols, out);
  with_rows_of<V>(w.type, [&]<typename Rows>() { Rows::decode(w, row, 0, w.cols, out); });
}

}  // namespace bitnet::kernels::generic
