// Products with weights that are not ternary, straight from the stored values, written once over the 16-lane
// float V of a backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/generic/blocks.h"
#include "kernels/generic/elementwise.h"
#include "kernels/generic/matmul_decoded.h"
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

// Rows computed together: their sums are independent chains, which hides the latency of the fused
// multiply-add, and each load of x serves them all.
inline constexpr std::size_t kRowTile = 4;

// Rows row, row + step, ... of one token. Elements one after another.
template <typename V, typename Load>
struct ElementRows {
  template <std::size_t N>
  static void times_token(const quant::Matrix& w, std::size_t row, std::size_t step, const float* x,
                          float* y) {
    const auto* data = reinterpret_cast<const typename Load::Stored*>(w.data) + row * w.cols;
    V sum[N];
    for (V& s : sum) s = V::zero();
    constexpr std::size_t kLine = 64 / sizeof(typename Load::Stored);
    std::size_t i = 0;
    for (; i + kLine <= w.cols; i += kLine) {
      if constexpr (V::kPrefetchBytes > 0) {
        for (std::size_t j = 0; j < N; ++j)
          __builtin_prefetch(reinterpret_cast<const char*>(data + j * step * w.cols + i) + V::kPrefetchBytes);
      }
      for (std::size_t part = i; part < i + kLine; part += 16) {
        const V v = V::load(x + part);
        for (std::size_t j = 0; j < N; ++j)
          sum[j] = fma(Load::template load<V>(data + j * step * w.cols + part, 16), v, sum[j]);
      }
    }
    for_each_16(w.cols - i, [&](std::size_t offset, std::size_t m) {
      const V v = load_up_to_16<V>(x + i + offset, m);
      for (std::size_t j = 0; j < N; ++j)
        sum[j] = fma(Load::template load<V>(data + j * step * w.cols + i + offset, m), v, sum[j]);
    });
    for (std::size_t j = 0; j < N; ++j) y[row + j * step] = reduce_add(sum[j]) * w.scale;
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

  template <std::size_t N>
  static void times_token(const quant::Matrix& w, std::size_t row, std::size_t step, const float* x,
                          float* y) {
    Codes::template times_token<N>(w, row, step, x, y);
    for (std::size_t j = 0; j < N; ++j) y[row + j * step] *= quant::i8_rows::scales(w)[row + j * step];
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

// The same for rows of blocks.
template <typename V, typename Reader>
struct BlockRows {
  using Block = typename Reader::Block;

  template <std::size_t N>
  static void times_token(const quant::Matrix& w, std::size_t row, std::size_t step, const float* x,
                          float* y) {
    const std::size_t n_blocks = w.cols / Block::kElements;
    const Block* blocks = reinterpret_cast<const Block*>(w.data) + row * n_blocks;
    V sum[N];
    for (V& s : sum) s = V::zero();
    for (std::size_t b = 0; b < n_blocks; ++b, x += Block::kElements) {
      Reader reader[N];
      for (std::size_t j = 0; j < N; ++j) {
        const Block* block = blocks + j * step * n_blocks + b;
        prefetch(block);
        reader[j].open(*block);
      }
      for_each_part<Block>([&](auto part) {
        const V first = V::load(x + 32 * part);
        const V second = V::load(x + 32 * part + 16);
        for (std::size_t j = 0; j < N; ++j) {
          const Values<V> v = reader[j].template values<part>();
          sum[j] = fma(v[1], second, fma(v[0], first, sum[j]));
        }
      });
    }
    for (std::size_t j = 0; j < N; ++j) y[row + j * step] = reduce_add(sum[j]) * w.scale;
  }

  static void decode(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end,
                     float* out) {
    const Block* blocks = reinterpret_cast<const Block*>(w.data) + row * (w.cols / Block::kElements);
    for (std::size_t i = begin; i < end; i += Block::kElements, out += Block::kElements) {
      Reader reader;
      reader.open(blocks[i / Block::kElements]);
      for_each_part<Block>([&](auto part) {
        const Values<V> v = reader.template values<part>();
        v[0].store(out + 32 * part);
        v[1].store(out + 32 * part + 16);
      });
    }
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

template <typename Rows>
void matmul_streamed(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const FloatRows& x,
                     std::size_t n_tokens, const OutputRows& y) {
  // Rows of a tile come from the quarters of the range: four long sequential streams, which memory serves
  // better than four that jump from row to row.
  const std::size_t quarter = (row_end - row_begin) / kRowTile;
  for (std::size_t r = row_begin; r < row_begin + quarter; ++r) {
    for (std::size_t t = 0; t < n_tokens; ++t) {
      Rows::template times_token<kRowTile>(w, r, quarter, x.x + t * x.stride, y.y + t * y.stride);
    }
  }
  for (std::size_t r = row_begin + kRowTile * quarter; r < row_end; ++r) {
    for (std::size_t t = 0; t < n_tokens; ++t) {
      Rows::template times_token<1>(w, r, 0, x.x + t * x.stride, y.y + t * y.stride);
    }
  }
}

// Calls use.operator()<Rows, is_of_blocks>() with what knows how rows of w's type are stored. Ternary and
// coded types have kernels of their own.
template <typename V, typename Use>
void with_rows_of(quant::TensorType type, Use use) {
  switch (type) {
    case quant::TensorType::f32:
      return use.template operator()<ElementRows<V, LoadF32>, false>();
    case quant::TensorType::f16:
      return use.template operator()<ElementRows<V, LoadF16>, false>();
    case quant::TensorType::bf16:
      return use.template operator()<ElementRows<V, LoadBf16>, false>();
    case quant::TensorType::q8_0:
      return use.template operator()<BlockRows<V, Q8_0<V>>, true>();
    case quant::TensorType::q6_k:
      return use.template operator()<BlockRows<V, Q6_K<V>>, true>();
    case quant::TensorType::q4_0:
      return use.template operator()<BlockRows<V, Q4_0<V>>, true>();
    case quant::TensorType::i8_rows:
      return use.template operator()<ScaledRows<V>, false>();
    default:
      break;
  }
}

template <typename V>
void matmul_float(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const FloatRows& x,
                  std::size_t n_tokens, const OutputRows& y) {
  with_rows_of<V>(w.type, [&]<typename Rows, bool is_of_blocks>() {
    if constexpr (is_of_blocks) {
      // From kTokenTile tokens on, decoding each block once for all of them pays.
      if (n_tokens >= kTokenTile)
        return matmul_decoded<V, Rows::decode>(w, row_begin, row_end, x, n_tokens, y);
    }
    matmul_streamed<Rows>(w, row_begin, row_end, x, n_tokens, y);
  });
}

template <typename V>
void decode_float(const quant::Matrix& w, std::size_t row, float* out) {
  with_rows_of<V>(w.type, [&]<typename Rows, bool is_of_blocks>() { Rows::decode(w, row, 0, w.cols, out); });
}

}  // namespace bitnet::kernels::generic
