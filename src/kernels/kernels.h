// The arithmetic of the transformer, one table of functions per instruction set. All tables give the same
// bits: the scalar one is the specification.
//
// Every floating reduction has one order: element i goes to lane i mod 16, each lane accumulates in ascending
// i with a fused multiply-add, then lanes fold (l, l+8), (l, l+4), (l, l+2), (l, l+1). Ternary products are
// integer sums, exact in any order. No function allocates or throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "kernels/screen.h"
#include "kernels/sparse.h"
#include "quant/tensor_type.h"

namespace bitnet::kernels {

// Rows of activations quantized to int8, one scale per row: x ~ q / scale.
struct QuantizedRows {
  const std::int8_t* q;     // [n_tokens, stride]
  const float* scale;       // [n_tokens] 127 / max|x|
  const std::int32_t* sum;  // [n_tokens] sum of the row's q
  std::size_t stride;       // in elements
};

// Rows of activations quantized to int8 with a scale for each block of columns: x ~ q * unit.
struct QuantizedBlocks {
  static constexpr std::size_t kPart = 32;       // columns whose q are summed
  static constexpr std::size_t kTileTokens = 8;  // tokens of a tile

  const std::int8_t* q;      // [n_tokens, stride]
  const std::int8_t* tiles;  // the same as [n_tokens / 8, stride / 4, 8, 4], for whole tiles; or nullptr
  const float* unit;  // [n_tokens, stride / kPart] max|x| of the block / 127: as many as there are blocks
  const std::int32_t* minus_sum;  // [n_tokens, stride / kPart] sums of -q
  std::size_t stride;             // in elements
  std::size_t block;              // columns under one unit: 32, 128 or whatever is at least the row
  const float* scale = nullptr;   // [n_tokens] 127 / max|x|, where the block is the whole row

  std::size_t parts() const { return stride / kPart; }
};

// Where a row so quantized goes.
struct QuantizedRow {
  std::int8_t* q;            // [padded_n]
  float* unit;               // [ceil(n / block)]
  std::int32_t* minus_sums;  // [padded_n / QuantizedBlocks::kPart]
  float* scale;              // for a block of the whole row what `quantize` gives ...
  std::int32_t* sum;         // ... else unchanged
};

struct FloatRows {
  const float* x;      // [n_tokens, stride]
  std::size_t stride;  // in elements
};

// Where a product goes: y[t * stride + r] for token t and row r.
struct OutputRows {
  float* y;            // [n_tokens, stride]
  std::size_t stride;  // in elements
};

// Keys that attention takes together: enough that rescaling the running sums is rare, few enough that the
// keys and values of a block stay in L1 (64 keys * 128 * 2 bytes * 2 = 32 KiB). Part of the numeric contract:
// it fixes the order of the sums.
inline constexpr std::size_t kKeyBlock = 64;

// How keys and values are kept. q8: int8 codes with one scale for each head at each position, x ~ code *
// unit.
enum class CacheType : std::uint8_t { f16, f32, q8 };

// Of the keys, or the values, of one head at one position. A block of kKeyBlock positions has kKeyBlock times
// as many: rows [kKeyBlock, head_dim], and behind them, for q8, units [kKeyBlock] of float.
constexpr std::size_t cache_row_bytes(CacheType type, std::size_t head_dim) {
  switch (type) {
    case CacheType::f16:
      return head_dim * sizeof(std::uint16_t);
    case CacheType::f32:
      return head_dim * sizeof(float);
    case CacheType::q8:
      break;
  }
  return head_dim + sizeof(float);
}

// Rows of attention, a token's query heads being a row each, that are worked on together, so that a key is
// widened once for all of them. A call may have more.
inline constexpr std::size_t kAttentionRows = 32;

struct Attention {
  const float* q;         // [n_tokens, token_stride], of each token [n_kv_heads, n_queries, head_dim]
  const void* k;          // of the first kv head, blocks of kKeyBlock keys, as cache_row_bytes has them
  const void* v;          // blocks of values, likewise
  std::size_t n_queries;  // that share a kv head
  std::size_t n_keys;     // that the first token may see, at least 1; each further token sees one more
  std::size_t head_dim;
  float scale;                   // of the scores: 1 / sqrt(head_dim)
  float* out;                    // [n_tokens, token_stride], of each token [n_kv_heads, n_queries, head_dim]
  std::size_t block_stride = 0;  // bytes from one block of keys (and of values) to the next; 0: they follow
  std::size_t n_kv_heads = 1;
  std::size_t head_stride = 0;  // bytes from one kv head's keys (and values) in a block to the next one's
  // Which block of memory holds the keys from kKeyBlock * b on: block blocks[b]; nullptr: block b.
  const std::uint32_t* blocks = nullptr;
  std::size_t window = 0;  // the most keys a token sees, its last; 0: all. See first_key.
  std::size_t n_tokens = 1;
  std::size_t token_stride = 0;  // in elements; of no meaning for one token

  // Keys before it are not seen by a token. Blocks are counted from key 0 all the same: of the first, what is
  // seen is taken together.
  std::size_t first_key(std::size_t token) const {
    const std::size_t end = n_keys + token;
    return window != 0 && end > window ? end - window : 0;
  }
};

struct Kernels {
  std::string_view name;

  // y = x / sqrt(mean(x^2) + eps) * weight, over n elements. No mean subtraction.
  void (*rms_norm)(const float* x, const float* weight, float eps, std::size_t n, float* y);
  // x += y
  void (*add)(float* x, const float* y, std::size_t n);
  // y = exp(x)
  void (*exp)(const float* x, float* y, std::size_t n);
  // gate = max(gate, 0)^2 * up
  void (*relu2_mul)(float* gate, const float* up, std::size_t n);
  // gate = gate / (1 + exp(-gate)) * up
  void (*silu_mul)(float* gate, const float* up, std::size_t n);
  // Rotates the pairs (i, i + n/2), angle i: cos, sin are [n/2].
  void (*rope_neox)(float* x, const float* cos, const float* sin, std::size_t n);
  // Rotates the pairs (2i, 2i+1), angle i: cos, sin are [n/2].
  void (*rope_norm)(float* x, const float* cos, const float* sin, std::size_t n);
  // Rounds to the cache's type.
  void (*store_f16)(const float* x, std::uint16_t* y, std::size_t n);
  // code = round to even(x * 127 / max(max|x|, 2^-100)), x ~ code * unit. A NaN or infinity in x gives a NaN
  // unit.
  void (*store_q8)(const float* x, std::int8_t* codes, float* unit, std::size_t n);
  // scale = 127 / max(max|x|, 1e-5), q = round to even(x * scale) in [-128, 127], sum = sum of q. The stretch
  // of q up to padded_n is set to 0. A NaN or infinity in x gives a NaN scale, and with it NaN products.
  void (*quantize)(const float* x, std::size_t n, std::size_t padded_n, std::int8_t* q, float* scale,
                   std::int32_t* sum);
  // The same with a scale for each block of columns (32, 128, or the whole row: then exactly as `quantize`
  // does it), and the sums of each 32. In smaller blocks than a row the scale is 127 / max(max|x|, 2^-100). n
  // is a multiple of 32.
  void (*quantize_blocks)(const float* x, std::size_t n, std::size_t block, std::size_t padded_n,
                          const QuantizedRow& to);
  // softmax(q k^T * scale) v, keys in blocks of kKeyBlock with a running maximum m, from the lowest float:
  // memory for one block, whatever n_keys. Of the keys j of a block that are seen
  //   score_j = q . k_j * scale,  m' = max(m, all score_j),  w_j = exp(score_j - m'),  r = exp(m - m'),
  //   sum = sum * r + (sum of w_j, lanes by j),  out = out * r, then fma(w_j, v_j, out) in ascending j,
  // and out / sum after the last block. A token's result doesn't depend on the others of the call.
  void (*attention_f16)(const Attention& a);
  void (*attention_f32)(const Attention& a);
  // The same with dot products of whole numbers, exact in any order. A query is rounded to codes of 16 bits,
  //   c = round to even(q * s),  s = L / max(max|q|, 2^-100),  L = min(32767, (2^31 - 1) / (127 head_dim)),
  //   score_j = (c . codes of k_j) * ((1 / s) * scale) * unit of k_j,
  // and the weights of a block are, with the values' units:
  //   p_j = w_j * unit of v_j,  c_j = round to even(p_j * s),  s = 32767 / max(all p_j, 2^-100),
  //   out = fma(sum of c_j * codes of v_j, 1 / s, out * r).
  void (*attention_q8)(const Attention& a);
  decltype(attention_f16) attention(CacheType type) const {
    return type == CacheType::f16 ? attention_f16 : type == CacheType::f32 ? attention_f32 : attention_q8;
  }
  // Products of rows [row_begin, row_end) of w with every token. w must be neither ternary nor lanes.
  void (*matmul_float)(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const FloatRows& x,
                       std::size_t n_tokens, const OutputRows& y);
  // One row of w, which must be neither ternary nor lanes, without w.scale. out: [w.cols]
  void (*decode_float)(const quant::Matrix& w, std::size_t row, float* out);
  // The values -1, 0, +1 of one row of ternary w, elements [begin, end) (multiples of the type's block),
  // without scale.
  void (*decode_ternary)(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end,
                         float* out);
  // Products of ternary w with activations that are not quantized: the reference mode.
  void (*matmul_ternary_f32)(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                             const FloatRows& x, std::size_t n_tokens, const OutputRows& y);
  // Products of ternary w with int8 activations: y = (w.scale / x.scale) * sum(t * q).
  void (*matmul_ternary)(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                         const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y);

  // The same for rows[0, n_rows) alone; the others' products stay as they are.
  void (*ternary_rows)(const quant::Matrix& w, const std::uint32_t* rows, std::size_t n_rows,
                       const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y);
  // Adds the products of the listed columns' codes 0, 1, 2 to sums, [n_tokens, column_sums(w)], which are
  // kept as sparse.h says; there are at most kMostColumns. y of a row is (scale / x.scale) * (its sum - sum
  // of x.q).
  void (*add_columns)(const quant::Columns& w, const ColumnList& list, std::int32_t* sums);

  // Products of w in lanes with int8 activations. Columns are taken in steps of the smaller of w's and x's
  // blocks (powers of two, or whole rows); S is the step's exact integer sum of numerators times q. One chain
  // for each row and token, steps ascending: y = fma(S, d * unit, y), from 0, then y * w.scale. Of w in
  // units and x under one scale y = S * (w.scale / x.scale), as of ternary w. row_begin is a multiple of 16,
  // and so is row_end, or it is w.rows.
  void (*matmul_lanes)(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                       const QuantizedBlocks& x, std::size_t n_tokens, const OutputRows& y);
  // The same with activations that are not quantized, summed as all floats are: the reference mode.
  void (*matmul_lanes_f32)(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                           const FloatRows& x, std::size_t n_tokens, const OutputRows& y);

  // values[0, n), a row of a matrix, to row `row` of the planes and what it takes to bound their error.
  // values is changed; codes is working memory, [n_blocks * kScreenBlock], zero from n on. A NaN or infinity
  // gives an infinite norm.
  void (*screen_row)(float* values, std::size_t n, std::size_t row, std::uint8_t* codes, const Planes& planes,
                     RowBounds* bounds);
  // Sums over a row of codes times the digits of each product, for rows row_begin, ...: exact but for their
  // rounding to floats. Rows are read once for all of them. Codes are u of the upper plane; 2 u + b0, with
  // the first bit; or 8 u + 4 b0 + 2 b1 + b2, with all.
  void (*upper_products)(const Plane& upper, std::size_t row_begin, std::size_t row_end,
                         std::span<const DigitProduct> products);
  void (*five_bit_products)(const Planes& planes, std::size_t row_begin, std::size_t row_end,
                            std::span<const DigitProduct> products);
  // nullptr: there is none that is faster than bit_products for the rows that need them.
  void (*seven_bit_products)(const Planes& planes, std::size_t row_begin, std::size_t row_end,
                             std::span<const DigitProduct> products);
  // Sums over a row of one bit times 256 high + low, for row rows[i]: each off by at most 2^-21 of the sum of
  // its products' magnitudes.
  void (*bit_products)(const Plane& bits, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                       float* sums);

  // For n rows: the sums of their codes, and what is known of them. Roundings aside; a handful of them. The
  // sums may lie where the estimates or the bounds go.
  void (*estimate_rows)(const Estimator& with, const DigitSums& sums, const float* scale, const float* error,
                        const float* norm, std::size_t n, Estimates* to);

  // Loops that do one thing as fast as this instruction set lets them: what the kernels are held against.

  // Reads n bytes and forgets them.
  void (*read_all)(const std::byte* data, std::size_t n);
  // 8-bit products, everything in registers. Returns how many multiply-adds it did. nullptr: no such
  // instruction.
  double (*int8_products)(std::size_t rounds);
};

// Every table this build has that this CPU can run, the specification (scalar) first, the fastest last.
std::span<const Kernels* const> available();
// By name, or the fastest for "auto". Throws UsageError for a name that is unknown or that this CPU cannot
// run.
const Kernels& find(std::string_view name);
// "auto, scalar": for messages and help.
std::string names();

}  // namespace bitnet::kernels
