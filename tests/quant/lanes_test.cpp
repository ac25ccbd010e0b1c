#include "quant/lanes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "quant/tensor_type.h"
#include "support/block_types.h"

namespace bitnet::quant {
namespace {

// A matrix copied to lanes, group by group and the last first: a group is a whole of its own.
struct Copied {
  Copied(const Matrix& from, std::uint32_t block) {
    w = {TensorType::lanes, from.rows,  from.cols,
         nullptr,           from.scale, {.codebook = info(from.type).coded->codebook, .block = block}};
    bytes.assign(lanes::n_bytes(w), std::byte{0xA5});
    for (std::size_t group = lanes::groups_of(from.rows); group-- > 0;) {
      lanes::copy_group(from, group, w, bytes.data());
    }
    w.data = bytes.data();
  }

  std::vector<std::byte> bytes;
  Matrix w;
};

std::vector<float> row_of(const Matrix& w, std::size_t row) {
  std::vector<float> values(w.cols);
  info(w.type).decode_row(w, row, values.data());
  return values;
}

class Lanes : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  const TypeInfo& type = test::block_type(GetParam());
  const std::size_t block = type.block;

  // Blocks with a scale of their own each.
  test::PackedBlocks random(std::size_t rows, std::size_t cols) const {
    return test::random_blocks(GetParam(), rows * cols, static_cast<unsigned>(rows + cols));
  }
  Matrix matrix(std::size_t rows, std::size_t cols, const std::vector<std::byte>& bytes) const {
    return {type.type, rows, cols, bytes.data(), 0.5F};
  }
  void set_scale(std::vector<std::byte>& bytes, std::size_t at, std::uint16_t d) const {
    const test::BlockLayout layout = test::layout_of(GetParam());
    std::memcpy(&bytes[at * layout.bytes + layout.scale_at], &d, sizeof d);
  }
};

INSTANTIATE_TEST_SUITE_P(Types, Lanes,
                         ::testing::Values(test::kTQ1_0, test::kTQ2_0, test::kQ1_0, test::kQ2_0, test::kPQ2_0,
                                           test::kPTQ1_0),
                         [](const auto& i) { return std::string(test::block_type(i.param).name); });

TEST_P(Lanes, HoldEveryElementOfRowsInAnyNumber) {
  for (const std::size_t rows : {1U, 15U, 16U, 17U, 35U}) {
    for (const std::size_t n_blocks : {1U, 3U, 8U}) {
      const std::size_t cols = n_blocks * block;
      const test::PackedBlocks packed = random(rows, cols);
      const Matrix from = matrix(rows, cols, packed.bytes);
      const Copied to(from, static_cast<std::uint32_t>(block));
      for (std::size_t row = 0; row < rows; ++row) EXPECT_EQ(row_of(to.w, row), row_of(from, row)) << row;
    }
  }
}

TEST_P(Lanes, GiveRowsThatAreNotThereAScaleOfZero) {
  const test::PackedBlocks packed = random(17, 2 * block);
  const Copied to(matrix(17, 2 * block, packed.bytes), static_cast<std::uint32_t>(block));
  const std::byte* const scales = to.bytes.data() + lanes::group_bytes(to.w.lanes, to.w.cols);
  for (std::size_t b = 0; b < 2; ++b) {
    for (std::size_t r = 0; r < 16; ++r) {
      std::uint16_t d;
      std::memcpy(&d, scales + (16 * b + r) * sizeof d, sizeof d);
      EXPECT_EQ(d == 0, r != 0) << b << " " << r;
    }
  }
}

TEST_P(Lanes, TakeOneScaleForBlocksThatAreAlike) {
  const std::size_t rows = 18;
  const std::size_t n_blocks = 8;
  test::PackedBlocks packed = random(rows, n_blocks * block);
  for (const std::size_t alike : {1U, 2U, 4U, 8U}) {
    for (std::size_t i = 0; i < rows * n_blocks; ++i) {
      set_scale(packed.bytes, i, static_cast<std::uint16_t>(0x3000 + i / alike));
    }
    const Matrix from = matrix(rows, n_blocks * block, packed.bytes);
    ASSERT_EQ(lanes::blocks_alike(from, 0, rows, n_blocks), alike);
    EXPECT_EQ(lanes::blocks_alike(from, 0, rows, 2), std::min<std::size_t>(alike, 2));
    const Copied to(from, static_cast<std::uint32_t>(alike * block));
    for (std::size_t row = 0; row < rows; ++row) ASSERT_EQ(row_of(to.w, row), row_of(from, row)) << row;
  }
  // One block of one row is enough, and only where it is among the rows that are asked for.
  set_scale(packed.bytes, 5 * n_blocks + 7, 0x2000);
  EXPECT_EQ(lanes::blocks_alike(matrix(rows, n_blocks * block, packed.bytes), 0, rows, n_blocks), 1U);
  EXPECT_EQ(lanes::blocks_alike(matrix(rows, n_blocks * block, packed.bytes), 6, rows, n_blocks), 8U);
}

TEST_P(Lanes, HaveOneScaleOfAllRowsOnlyWhereNoRowHasAnother) {
  test::PackedBlocks packed = random(3, block);
  for (std::size_t row = 0; row < 3; ++row) set_scale(packed.bytes, row, 0x3000);
  EXPECT_EQ(lanes::scale_of_rows(matrix(3, block, packed.bytes)), 0x3000);
  for (std::size_t row = 0; row < 3; ++row) {
    test::PackedBlocks other = packed;
    set_scale(other.bytes, row, 0x3400);
    EXPECT_EQ(lanes::scale_of_rows(matrix(3, block, other.bytes)), std::nullopt) << row;
  }
}

}  // namespace
}  // namespace bitnet::quant
