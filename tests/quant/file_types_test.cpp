#include "quant/file_types.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/text_holds.h"

namespace bitnet::quant {
namespace {

using test::has;

constexpr std::uint64_t kMuchRoom = std::uint64_t{1} << 40;
constexpr std::uint64_t kAlignment = 32;

// A tensor of 4 rows of 2560 elements, or so.
StoredTensor stored(std::uint32_t id, std::uint64_t room, std::uint64_t rows = 4, std::uint64_t cols = 2560) {
  return {.id = id, .rows = rows, .cols = cols, .room = room, .alignment = kAlignment};
}

std::string type_at(const StoredTensor& tensor) {
  const TypeInfo* type = find_type(tensor);
  return type == nullptr ? "none" : std::string(type->name);
}

TEST(FileTypes, AreFoundByTheirGgmlIdAndNothingElseIs) {
  for (const auto& [id, name] : std::vector<std::pair<std::uint32_t, const char*>>{{0, "F32"},
                                                                                   {1, "F16"},
                                                                                   {2, "Q4_0"},
                                                                                   {3, "Q4_1"},
                                                                                   {6, "Q5_0"},
                                                                                   {7, "Q5_1"},
                                                                                   {8, "Q8_0"},
                                                                                   {10, "Q2_K"},
                                                                                   {11, "Q3_K"},
                                                                                   {12, "Q4_K"},
                                                                                   {13, "Q5_K"},
                                                                                   {14, "Q6_K"},
                                                                                   {20, "IQ4_NL"},
                                                                                   {30, "BF16"},
                                                                                   {34, "TQ1_0"},
                                                                                   {35, "TQ2_0"},
                                                                                   {36, "I2_S"},
                                                                                   {41, "Q1_0"}}) {
    ASSERT_NE(find_type(id), nullptr) << id;
    EXPECT_EQ(find_type(id)->name, name);
    EXPECT_EQ(type_at(stored(id, 1)), name);  // whatever the room: that it is too little is told elsewhere
    EXPECT_EQ(name_of_type(stored(id, 1)), name);
  }
  for (const std::uint32_t id : {9U, 15U, 23U, 24U, 37U, 38U, 39U, 40U, 99U, 0xFFFFFFFFU}) {
    EXPECT_EQ(find_type(id), nullptr) << id;
    EXPECT_EQ(find_type(stored(id, kMuchRoom)), nullptr) << id;
  }
  for (const std::uint32_t id : {42U, 142U, 143U}) EXPECT_EQ(find_type(id), nullptr) << id;
}

// 18 bytes for 64, 34 for 128, 42 for 256: 4 rows of 2560 take 2880, 2720 or 1680.
TEST(FileTypes, OfId42AreToldByTheRoomUpToTheAlignment) {
  for (const std::uint64_t padding : {0U, 1U, 31U}) {
    EXPECT_EQ(type_at(stored(42, 2880 + padding)), "Q2_0");
    EXPECT_EQ(type_at(stored(42, 2720 + padding)), "Q2_0 (128)");
    EXPECT_EQ(name_of_type(stored(42, 2720 + padding)), "Q2_0 (128)");
    EXPECT_EQ(type_at(stored(42, 1680 + padding)), "none");
    EXPECT_EQ(name_of_type(stored(42, 1680 + padding)), "STQ1_0");
    EXPECT_TRUE(has(describe_refused_type(stored(42, 1680 + padding)), "STQ1_0 (Tencent's), is not read"));
  }
  for (const std::uint64_t room : {2880U + 32, 2880U - 1, 2720U + 32, 2720U - 1, 1680U + 32, 1680U - 1, 1U}) {
    EXPECT_EQ(type_at(stored(42, room)), "none") << room;
    const std::string refusal = describe_refused_type(stored(42, room));
    EXPECT_TRUE(has(refusal, "none fits the " + std::to_string(room) + " bytes")) << refusal;
    EXPECT_TRUE(has(refusal, "Q2_0 takes 2880, Q2_0 (128) 2720")) << refusal;
  }
  StoredTensor wide = stored(42, 2880 + 32);
  wide.alignment = 64;
  EXPECT_EQ(type_at(wide), "Q2_0");
}

TEST(FileTypes, OfId42NeedRowsOfWholeBlocks) {
  EXPECT_EQ(type_at(stored(42, 4 * 3 * 18, 4, 192)), "Q2_0");
  EXPECT_EQ(type_at(stored(42, 4 * 51, 4, 192)), "none");  // one and a half blocks of 128 to a row
  EXPECT_EQ(type_at(stored(42, 4 * 2 * 18, 4, 100)), "none");
  EXPECT_TRUE(has(describe_refused_type(stored(42, 4 * 2 * 18, 4, 100)), "blocks of 64"));
}

TEST(FileTypes, ThatBothFitAreRefusedRatherThanGuessed) {
  const StoredTensor small = stored(42, 64, 1, 128);  // 36 bytes or 34, and padding
  EXPECT_EQ(find_type(small), nullptr);
  const std::string refusal = describe_refused_type(small);
  EXPECT_TRUE(has(refusal, "Q2_0 takes 36, Q2_0 (128) 34")) << refusal;
  EXPECT_TRUE(has(refusal, "more than one")) << refusal;
  EXPECT_EQ(type_at(stored(42, 35, 1, 128)), "Q2_0 (128)");  // the last tensor of a file, without padding
}

TEST(FileTypes, OfIkLlamaHaveAScaleBesideTheBlocksOfARow) {
  EXPECT_EQ(type_at(stored(134, 4 * (40 * 13 + 2))), "IQ1_BN");
  EXPECT_EQ(type_at(stored(135, 4 * (40 * 16 + 4))), "IQ2_BN");
  EXPECT_EQ(type_at(stored(335, 4 * (40 * 16 + 4))), "IQ2_BN_R4");
}

// ik_llama.cpp's withdrawn types had these ids.
TEST(FileTypes, OfPrismsIdsAreThoseOfTheirSizeOnly) {
  EXPECT_EQ(type_at(stored(142, 2720)), "PQ2_0");
  EXPECT_EQ(type_at(stored(143, 2240)), "PTQ1_0");
  for (const std::uint64_t room : {2640U, 2560U + 16}) {  // with a scale for each block, or each row
    EXPECT_EQ(type_at(stored(142, room)), "none");
    EXPECT_TRUE(has(describe_refused_type(stored(142, room)), "type 142, IQ2_TN (of ik_llama.cpp"));
  }
  for (const std::uint64_t room : {2160U, 2080U + 8}) {
    EXPECT_EQ(type_at(stored(143, room)), "none");
    EXPECT_TRUE(has(describe_refused_type(stored(143, room)), "type 143, IQ1_TN (of ik_llama.cpp"));
  }
  EXPECT_TRUE(has(describe_refused_type(stored(142, 2719)), "none fits the 2719 bytes"));
  EXPECT_TRUE(has(describe_refused_type(stored(143, 5000)), "none fits the 5000 bytes"));
}

TEST(FileTypes, ARefusalNamesTheTypeAndWhatToDo) {
  const auto describe = [](std::uint32_t id) { return describe_refused_type(stored(id, kMuchRoom)); };
  EXPECT_TRUE(has(describe(38), "TL1"));
  EXPECT_TRUE(has(describe(39), "TL2"));
  EXPECT_TRUE(has(describe_refused_type(stored(39, 4 * 80 * 17)), "type 39, MXFP4, is not read"));
  EXPECT_TRUE(has(describe(23), "IQ4_XS"));
  EXPECT_TRUE(has(describe(23), "requantize"));
  EXPECT_TRUE(has(describe(777), "777"));
  for (const char* name : {"F32", "Q6_K", "I2_S", "TQ1_0", "Q2_0 (128)"})
    EXPECT_TRUE(has(describe(777), name));
}

TEST(FileTypes, HaveASizeWhetherTheyAreReadOrNot) {
  const auto bytes_of = [](std::uint32_t id, std::uint64_t rows) {
    return n_bytes_of_type(stored(id, kMuchRoom, rows));
  };
  EXPECT_EQ(bytes_of(0, 1), 10240U);       // F32
  EXPECT_EQ(bytes_of(36, 1), 640U + 32U);  // I2_S, with its tail
  // Bits for a weight as ggml's documentation has them.
  const std::vector<std::pair<std::uint32_t, double>> bits{
      {3, 5.0},     {6, 5.5},     {7, 6.0},     {10, 2.625},  {11, 3.4375}, {12, 4.5},
      {13, 5.5},    {16, 2.0625}, {17, 2.3125}, {18, 3.0625}, {19, 1.5625}, {20, 4.5},
      {21, 3.4375}, {22, 2.5625}, {23, 4.25},   {24, 8.0},    {25, 16.0},   {26, 32.0},
      {27, 64.0},   {28, 64.0},   {29, 1.75},   {34, 1.6875}, {35, 2.0625}, {37, 8.0},
      {39, 4.25},   {40, 4.5},    {41, 1.125},  {142, 2.125}, {143, 1.75}};
  for (const auto& [id, expected] : bits) {
    EXPECT_EQ(static_cast<double>(bytes_of(id, 1)) * 8 / 2560, expected) << id;
    EXPECT_EQ(bytes_of(id, 7), 7 * bytes_of(id, 1)) << id;
  }
  for (const std::uint64_t wanted : {2880U, 2720U, 1680U}) {
    EXPECT_EQ(n_bytes_of_type(stored(42, wanted)), wanted);
    EXPECT_EQ(n_bytes_of_type(stored(42, wanted + 31)), wanted);
  }
  // Nothing is known of these, or nothing fits: all there is.
  EXPECT_EQ(n_bytes_of_type(stored(38, 1000)), 1000U);
  EXPECT_EQ(n_bytes_of_type(stored(777, 1000)), 1000U);
  EXPECT_EQ(n_bytes_of_type(stored(23, 1000)), 1000U);
  EXPECT_EQ(n_bytes_of_type(stored(23, 1000, 4, 100)), 1000U);
  EXPECT_EQ(n_bytes_of_type(stored(28, 1000, std::uint64_t{1} << 60, 1)), 1000U);  // 2^63 bytes
  EXPECT_EQ(name_of_type(stored(777, 1000)), "type 777");
}

}  // namespace
}  // namespace bitnet::quant
