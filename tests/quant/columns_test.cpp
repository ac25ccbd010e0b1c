#include "quant/columns.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "quant/i2_s.h"

namespace bitnet::quant {
namespace {

constexpr std::size_t kGroup = i2_s::kGroup;

std::vector<std::byte> random_codes(std::size_t rows, std::size_t cols) {
  std::mt19937 rng(static_cast<unsigned>(rows * cols));
  std::vector<std::byte> bytes(rows * cols / 4 + i2_s::kTailBytes);
  for (std::byte& byte : bytes)
    byte = static_cast<std::byte>(rng() % 3 | rng() % 3 << 2 | rng() % 3 << 4 | rng() % 3 << 6);
  return bytes;
}

// As the header says where it stands.
unsigned code_at(const Columns& w, std::size_t row, std::size_t col) {
  const std::size_t in_line = row % Columns::kLineRows;
  const std::size_t f = in_line / 64;
  const std::size_t m = in_line % 64 / 16;
  const std::size_t i = in_line % 16;
  const std::byte* line = w.data + col * w.column_bytes() + row / Columns::kLineRows * Columns::kLineBytes;
  return static_cast<unsigned>(line[16 * (i / 4) + 4 * m + i % 4]) >> (2 * f) & 3U;
}

TEST(Columns, HoldEveryCodeWhereTheirLayoutHasIt) {
  for (const std::size_t rows : {1U, 16U, 100U, 256U, 300U, 640U}) {
    for (const std::size_t cols : {128U, 384U}) {
      const std::vector<std::byte> bytes = random_codes(rows, cols);
      const Matrix from{TensorType::i2_s, rows, cols, bytes.data(), 1.0F};
      Columns to{.rows = rows, .cols = cols};
      std::vector<std::byte> memory(to.n_bytes(), std::byte{0xFF});
      // In parts, the last first.
      for (std::size_t end = cols; end > 0; end -= kGroup)
        copy_to_columns(from, end - kGroup, end, memory.data());
      to.data = memory.data();
      std::vector<float> values(cols);
      for (std::size_t row = 0; row < rows; ++row) {
        i2_s::decode_row(from, row, values.data());
        for (std::size_t col = 0; col < cols; ++col)
          ASSERT_EQ(static_cast<float>(code_at(to, row, col)) - 1, values[col]) << row << ", " << col;
      }
      for (std::size_t row = rows; row < to.lines() * Columns::kLineRows; ++row) {
        for (std::size_t col = 0; col < cols; ++col) ASSERT_EQ(code_at(to, row, col), 0U);
      }
    }
  }
}

TEST(Columns, CopiedInPartTouchNoOthers) {
  const std::vector<std::byte> bytes = random_codes(64, 384);
  const Matrix from{TensorType::i2_s, 64, 384, bytes.data(), 1.0F};
  const Columns to{.rows = 64, .cols = 384};
  std::vector<std::byte> memory(to.n_bytes(), std::byte{0xA5});
  copy_to_columns(from, 128, 256, memory.data());
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const std::size_t col = i / to.column_bytes();
    if (col < 128 || col >= 256) {
      ASSERT_EQ(memory[i], std::byte{0xA5}) << col;
    }
  }
}

}  // namespace
}  // namespace bitnet::quant
