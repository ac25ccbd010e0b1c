#include "quant/lopsided.h"

#include "base/half.h"
#include "quant/block_format.h"
#include "quant/q4_0.h"
#include "quant/q5_0.h"

namespace bitnet::quant::lopsided {
namespace {

int code_of(const q4_0::Block& b, std::size_t j) { return half_of(b.q, j); }
int code_of(const q5_0::Block& b, std::size_t j) { return five_bits_of(b.q, b.high, j); }

// The code of 0; the least one is 0, and the greatest that less one.
template <typename Block>
constexpr int kZero = 8;
template <>
constexpr int kZero<q5_0::Block> = 16;

template <typename Block>
std::optional<std::uint64_t> count(const Matrix& w, std::size_t begin, std::size_t end) {
  std::uint64_t n = 0;
  const std::size_t n_blocks = w.cols / Block::kElements;
  for (std::size_t i = begin * n_blocks; i < end * n_blocks; ++i) {
    const Block& block = row_blocks<Block>(w, 0)[i];
    bool is_ternary = true;
    for (std::size_t j = 0; j < Block::kElements; ++j) {
      const int code = code_of(block, j);
      const bool is_shrunk = code == 2 * kZero<Block> - 1;
      is_ternary &= is_shrunk || code == 0 || code == kZero<Block>;
      n += static_cast<std::uint64_t>(is_shrunk);
    }
    if (!is_ternary) return std::nullopt;
  }
  return n;
}

template <typename Block>
void restore(const Matrix& w, std::size_t row, float* out) {
  decode_blocks<Block>(w, row, out, [](const Block& b, std::size_t j) {
    const int code = code_of(b, j);
    const int steps = code == 2 * kZero<Block> - 1 ? kZero<Block> : code - kZero<Block>;
    return f16_to_f32(b.d) * static_cast<float>(steps);
  });
}

}  // namespace

bool may_be(TensorType type) { return type == TensorType::q4_0 || type == TensorType::q5_0; }

std::optional<std::uint64_t> count_shrunk(const Matrix& w, std::size_t begin, std::size_t end) {
  return w.type == TensorType::q4_0 ? count<q4_0::Block>(w, begin, end) : count<q5_0::Block>(w, begin, end);
}

void restore_row(const Matrix& w, std::size_t row, float* out) {
  return w.type == TensorType::q4_0 ? restore<q4_0::Block>(w, row, out) : restore<q5_0::Block>(w, row, out);
}

}  // namespace bitnet::quant::lopsided
