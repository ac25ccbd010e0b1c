#include "kernels/scalar/scalar.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "kernels/generic/table.h"
#include "kernels/scalar/simd.h"
#include "quant/i2_s.h"
#include "quant/lanes.h"

namespace bitnet::kernels::scalar {
namespace {

// For attention over int8 keys and values (generic/attention_q8.h).
struct Dots {
  template <std::size_t N>
  static void score(const std::int16_t* q, std::size_t q_stride, const std::int8_t* keys,
                    std::size_t head_dim, std::size_t n, std::int32_t (&sums)[N][generic::kKeysAtOnce]) {
    for (std::size_t h = 0; h < N; ++h) {
      for (std::size_t j = 0; j < n; ++j) {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < head_dim; ++i) sum += q[h * q_stride + i] * keys[j * head_dim + i];
        sums[h][j] = sum;
      }
    }
  }
  template <std::size_t N>
  static void mix(const std::int16_t (*codes)[kKeyBlock], const std::int8_t* values, std::size_t stride,
                  std::size_t n, const std::byte*, std::int32_t (&sums)[N][generic::kStripe]) {
    for (std::size_t h = 0; h < N; ++h) {
      for (std::size_t i = 0; i < generic::kStripe; ++i) {
        sums[h][i] = 0;
        for (std::size_t j = 0; j < n; ++j) sums[h][i] += codes[h][j] * values[j * stride + i];
      }
    }
  }
};

// Codes of a row are taken apart once for so many tokens.
constexpr std::size_t kTokensAtOnce = 8;

// Sum of code * q; both of 16 bits, for which even the oldest processors have an instruction.
std::int32_t dot(const std::int16_t* codes, const std::int8_t* q, std::size_t n) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += codes[i] * static_cast<std::int16_t>(q[i]);
  return sum;
}

// The 128 codes, 0 to 2, of a group.
void read_i2_s(const std::uint8_t* group, std::int16_t* codes) {
  for (std::size_t j = 0; j < quant::i2_s::kGroupBytes; ++j) {
    codes[j] = group[j] >> 6;
    codes[32 + j] = group[j] >> 4 & 3;
    codes[64 + j] = group[j] >> 2 & 3;
    codes[96 + j] = group[j] & 3;
  }
}

void ternary_row(const quant::Matrix& w, std::size_t row, const QuantizedRows& x, std::size_t n_tokens,
                 const OutputRows& y) {
  const auto* groups = reinterpret_cast<const std::uint8_t*>(w.data) + row * w.cols / 4;
  for (std::size_t first = 0; first < n_tokens; first += kTokensAtOnce) {
    const std::size_t n = std::min(kTokensAtOnce, n_tokens - first);
    // At most 2 * 128 * cols: 32 bits hold it for cols < 2^23.
    std::int32_t sums[kTokensAtOnce] = {};
    for (std::size_t col = 0; col < w.cols; col += quant::i2_s::kGroup) {
      std::int16_t codes[quant::i2_s::kGroup];
      read_i2_s(groups + col / 4, codes);
      for (std::size_t t = 0; t < n; ++t)
        sums[t] += dot(codes, x.q + (first + t) * x.stride + col, quant::i2_s::kGroup);
    }
    for (std::size_t t = first; t < first + n; ++t) {
      // Code c stands for c - 1, so the sum of the activations comes off once.
      y.y[t * y.stride + row] = (w.scale / x.scale[t]) * static_cast<float>(sums[t - first] - x.sum[t]);
    }
  }
}

void matmul_ternary(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                    const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  for (std::size_t r = row_begin; r < row_end; ++r) ternary_row(w, r, x, n_tokens, y);
}

void ternary_rows(const quant::Matrix& w, const std::uint32_t* rows, std::size_t n_rows,
                  const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  for (std::size_t i = 0; i < n_rows; ++i) ternary_row(w, rows[i], x, n_tokens, y);
}

void add_columns(const quant::Columns& w, const ColumnList& list, std::int32_t* sums) {
  for (std::size_t i = 0; i < list.n; ++i) {
    const auto* column = reinterpret_cast<const std::uint8_t*>(w.data) + list.columns[i] * w.column_bytes();
    for (std::size_t r = 0; r < column_sums(w); ++r) {
      const std::size_t byte = r / quant::Columns::kLineRows * quant::Columns::kLineBytes +
                               quant::Columns::byte_of(r % quant::Columns::kQuarterRows);
      // As many times too large as the sum.
      const int code = column[byte] & (3 << shift_of_column_sum(r));
      for (std::size_t t = 0; t < list.n_tokens; ++t)
        sums[t * column_sums(w) + r] += code * list.q[t * list.stride + i];
    }
  }
}

// A row of a matrix in lanes.
class LaneRow {
 public:
  LaneRow(const quant::Matrix& w, std::size_t row)
      : coding_(w.lanes),
        in_group_(row % quant::lanes::kRows),
        scales_(w.data + row / quant::lanes::kRows * quant::lanes::group_bytes(w.lanes, w.cols)),
        lines_(scales_ + quant::lanes::scale_bytes(w.lanes, w.cols)) {}

  float scale(std::size_t col) const {
    std::uint16_t d;
    std::memcpy(&d, scales_ + (col / coding_.block * quant::lanes::kRows + in_group_) * sizeof d, sizeof d);
    return f16_to_f32(d);
  }

  // sums[t] += the sum of numerator * q over columns [begin, end), for each of n tokens.
  void add_products(std::size_t begin, std::size_t end, const std::int8_t* q, std::size_t stride,
                    std::size_t n, std::int32_t* sums) const {
    constexpr std::size_t kMost = 128;
    for (std::size_t col = begin; col < end; col += kMost) {
      const std::size_t n_columns = std::min(kMost, end - col);
      std::int16_t numerators[kMost];
      read_numerators(col, n_columns, numerators);
      for (std::size_t t = 0; t < n; ++t) sums[t] += dot(numerators, q + t * stride + col, n_columns);
    }
  }

 private:
  void read_numerators(std::size_t begin, std::size_t n, std::int16_t* out) const {
    const auto numerators = quant::numerators_of(coding_.codebook);
    const std::size_t columns = quant::lanes::columns_of_line(coding_.codebook);
    const std::size_t bits = quant::bits_of(coding_.codebook);
    for (std::size_t col = 0; col < n; col += columns) {
      std::uint32_t word;
      std::memcpy(&word,
                  lines_ + (begin + col) / columns * quant::lanes::kLineBytes + in_group_ * sizeof word,
                  sizeof word);
      for (std::size_t i = 0; i < columns; ++i)
        out[col + i] = numerators[word >> (i % 4 * 8 + i / 4 * bits) & ((1U << bits) - 1)];
    }
  }

  quant::LaneCoding coding_;
  std::size_t in_group_;
  const std::byte* scales_;
  const std::byte* lines_;
};

// Tokens [begin, begin + n), n <= kTokensAtOnce.
void lane_row_times_tokens(const quant::Matrix& w, std::size_t r, const QuantizedBlocks& x, std::size_t begin,
                           std::size_t n, const OutputRows& y) {
  const LaneRow row(w, r);
  const std::int8_t* q = x.q + begin * x.stride;
  if (w.lanes.in_units && x.scale != nullptr) {
    std::int32_t sums[kTokensAtOnce] = {};
    row.add_products(0, w.cols, q, x.stride, n, sums);
    for (std::size_t t = 0; t < n; ++t)
      y.y[(begin + t) * y.stride + r] = static_cast<float>(sums[t]) * (w.scale / x.scale[begin + t]);
    return;
  }
  const std::size_t step = std::min(std::size_t{w.lanes.block}, x.block);
  float totals[kTokensAtOnce] = {};
  for (std::size_t col = 0; col < w.cols; col += step) {
    std::int32_t sums[kTokensAtOnce] = {};
    row.add_products(col, std::min(col + step, w.cols), q, x.stride, n, sums);
    const float scale = row.scale(col);
    for (std::size_t t = 0; t < n; ++t) {
      const float unit = x.unit[(begin + t) * x.parts() + col / x.block];
      totals[t] = fma(static_cast<float>(sums[t]), scale * unit, totals[t]);
    }
  }
  for (std::size_t t = 0; t < n; ++t) y.y[(begin + t) * y.stride + r] = totals[t] * w.scale;
}

void matmul_lanes(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                  const QuantizedBlocks& x, std::size_t n_tokens, const OutputRows& y) {
  for (std::size_t r = row_begin; r < row_end; ++r) {
    for (std::size_t t = 0; t < n_tokens; t += kTokensAtOnce)
      lane_row_times_tokens(w, r, x, t, std::min(kTokensAtOnce, n_tokens - t), y);
  }
}

void decode_ternary(const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end, float* out) {
  const auto* codes = reinterpret_cast<const std::uint8_t*>(w.data) + (row * w.cols + begin) / 4;
  for (std::size_t i = begin; i < end; i += quant::i2_s::kGroup) {
    for (unsigned k = 0; k < 4; ++k) {
      for (std::size_t j = 0; j < 32; ++j) *out++ = static_cast<float>((codes[j] >> (6 - 2 * k) & 3) - 1);
    }
    codes += quant::i2_s::kGroupBytes;
  }
}

// Element i of a row of the upper plane, or of a bit's.
int upper_at(const std::uint8_t* row, std::size_t i) {
  const std::size_t in_half = i % 128;
  return row[i / 128 * 64 + in_half % 64] >> (in_half / 64 * 4) & 15;
}

int bit_at(const std::uint8_t* row, std::size_t i) { return row[i / 8] >> (i % 8) & 1; }

// code(i), times(i): of element i.
template <typename Code, typename Times>
float digit_sum(std::size_t n_blocks, Code code, Times times) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < n_blocks * kScreenBlock; ++i) sum += code(i) * std::int64_t{times(i)};
  return static_cast<float>(sum);
}

void upper_products(const Plane& upper, std::size_t row_begin, std::size_t row_end,
                    std::span<const DigitProduct> products) {
  for (std::size_t row = row_begin; row < row_end; ++row) {
    const std::uint8_t* codes = upper.codes + row * upper.row_bytes;
    for (const DigitProduct& p : products) {
      p.sums[row - row_begin] = digit_sum(
          upper.row_bytes / kUpperBytes, [&](std::size_t i) { return upper_at(codes, i); },
          [&](std::size_t i) { return p.digits[i]; });
    }
  }
}

void five_bit_products(const Planes& planes, std::size_t row_begin, std::size_t row_end,
                       std::span<const DigitProduct> products) {
  for (std::size_t row = row_begin; row < row_end; ++row) {
    const std::uint8_t* upper = planes.upper.codes + row * planes.upper.row_bytes;
    const std::uint8_t* bits = planes.bits[0].codes + row * planes.bits[0].row_bytes;
    for (const DigitProduct& p : products) {
      p.sums[row - row_begin] = digit_sum(
          planes.upper.row_bytes / kUpperBytes,
          [&](std::size_t i) { return 2 * upper_at(upper, i) + bit_at(bits, i); },
          [&](std::size_t i) { return p.digits[i]; });
    }
  }
}

void bit_products(const Plane& bits, const std::uint32_t* rows, std::size_t n_rows, const Digits& digits,
                  float* sums) {
  for (std::size_t i = 0; i < n_rows; ++i) {
    const std::uint8_t* codes = bits.codes + rows[i] * bits.row_bytes;
    sums[i] = digit_sum(
        bits.row_bytes / kBitBytes, [&](std::size_t j) { return bit_at(codes, j); },
        [&](std::size_t j) { return 256 * digits.high[j] + digits.low[j]; });
  }
}

void read_all(const std::byte* data, std::size_t n) {
  std::array<std::uint64_t, 8> sum{};
  for (std::size_t at = 0; at + sizeof sum <= n; at += sizeof sum) {
    std::array<std::uint64_t, 8> words;
    std::memcpy(words.data(), data + at, sizeof words);
    for (std::size_t i = 0; i < words.size(); ++i) sum[i] ^= words[i];
  }
  static std::atomic<std::uint64_t> sink;  // so that the loop has a result
  for (const std::uint64_t word : sum) sink.fetch_xor(word, std::memory_order_relaxed);
}

constexpr Kernels kTable =
    generic::make_table<F32x16, decode_ternary>({.name = "scalar",
                                                 .attention_q8 = generic::attention_q8<F32x16, Dots>,
                                                 .matmul_ternary = matmul_ternary,
                                                 .ternary_rows = ternary_rows,
                                                 .add_columns = add_columns,
                                                 .matmul_lanes = matmul_lanes,
                                                 .upper_products = upper_products,
                                                 .five_bit_products = five_bit_products,
                                                 .bit_products = bit_products,
                                                 .read_all = read_all,
                                                 .int8_products = nullptr});

}  // namespace

const Kernels& table() { return kTable; }

}  // namespace bitnet::kernels::scalar
