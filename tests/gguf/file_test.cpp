#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "gguf/gguf.h"
#include "gguf/sample_file.h"
#include "support/emulated.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

using gguf::File;
using gguf::Tensor;

TEST(GgufFile, VersionsTwoAndThreeReadAlike) {
  for (const std::uint32_t version : {2u, 3u}) {
    const std::vector<std::byte> bytes = sample_builder().version(version).build();
    const File file = File::from_bytes(bytes, "m.gguf");
    EXPECT_EQ(file.version(), version);
    EXPECT_EQ(file.get_string("k.string"), "text");
    EXPECT_EQ(file.tensors().size(), 3u);
    EXPECT_EQ(file.bytes().data(), bytes.data());
    EXPECT_EQ(file.name(), "m.gguf");
  }
}

TEST(GgufFile, KeysKeepTheOrderOfTheFile) {
  GgufBuilder b;
  const std::vector<std::byte> bytes = b.add("z", true).add("a", std::uint8_t{1}).add("m", "x").build();
  const File file = File::from_bytes(bytes, "m.gguf");
  ASSERT_EQ(file.n_keys(), 3u);
  EXPECT_EQ(file.key(0), "z");
  EXPECT_EQ(file.key(1), "a");
  EXPECT_EQ(file.value(1).as_uint(), 1u);
  EXPECT_EQ(file.key(2), "m");
  EXPECT_EQ(file.value(2).as_string(), "x");
}

// As numpy's single numbers are written.
TEST(GgufFile, ATensorWithoutDimensionsIsOneNumber) {
  GgufBuilder b;
  b.add_f32("scale", {}, std::vector<float>{2.5F});
  const std::vector<std::byte> bytes = b.build();
  const File file = File::from_bytes(bytes, "test.gguf");
  const Tensor* scale = file.find_tensor("scale");
  ASSERT_NE(scale, nullptr);
  EXPECT_EQ(scale->n_dims, 1U);
  EXPECT_EQ(scale->dims[0], 1U);
  EXPECT_EQ(scale->extent.size(), 32U);
}

TEST(GgufFile, TensorsCarryTheirShapeTypeAndBytes) {
  GgufBuilder b = sample_builder();
  const std::vector<std::byte> bytes = b.build();
  const File file = File::from_bytes(bytes, "m.gguf");
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.data_offset(), (b.header_size() + 31) / 32 * 32);

  const Tensor& a = file.tensors()[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.n_dims, 1u);
  EXPECT_EQ(a.n_elements(), 5u);
  EXPECT_EQ(a.type, 0u);
  EXPECT_EQ(a.file_offset, file.data_offset());
  EXPECT_EQ(a.extent.data(), bytes.data() + a.file_offset);
  EXPECT_EQ(a.extent.size(), 32u);
  float third = 0;
  std::memcpy(&third, a.extent.data() + 8, sizeof third);
  EXPECT_EQ(third, 3.0f);

  const Tensor* const t = file.find_tensor("b");
  ASSERT_EQ(t, &file.tensors()[1]);
  EXPECT_EQ(t->dims, (std::array<std::uint64_t, 4>{128, 2, 1, 1}));
  EXPECT_EQ(t->type, 36u);
  EXPECT_EQ(t->extent.size(), 256u / 4 + 32);

  const Tensor& last = file.tensors()[2];
  EXPECT_EQ(last.n_dims, 4u);
  EXPECT_EQ(last.dims, (std::array<std::uint64_t, 4>{3, 2, 2, 1}));
  EXPECT_EQ(last.file_offset + last.extent.size(), bytes.size());
  EXPECT_EQ(file.find_tensor("d"), nullptr);
  EXPECT_EQ(file.find_tensor(""), nullptr);
}

TEST(GgufFile, ATensorEndsWhereTheNextHigherOneBeginsWhateverTheOrder) {
  GgufBuilder b;
  const std::vector<std::byte> data(32);
  b.add_tensor("first", {8}, 0, data).add_tensor("second", {8}, 0, data).add_tensor("third", {8}, 0, data);
  std::vector<std::byte> bytes = b.build();
  patch(bytes, b.offset_of("tensor first/offset"), std::uint64_t{64});
  patch(bytes, b.offset_of("tensor third/offset"), std::uint64_t{0});
  const File file = File::from_bytes(bytes, "m.gguf");
  EXPECT_EQ(file.find_tensor("third")->file_offset, file.data_offset());
  EXPECT_EQ(file.find_tensor("first")->file_offset, file.data_offset() + 64);
  for (const Tensor& tensor : file.tensors()) EXPECT_EQ(tensor.extent.size(), 32u) << tensor.name;
}

TEST(GgufFile, TheAlignmentKeyMovesTheData) {
  for (const std::uint32_t alignment : {8u, 64u, 4096u, 1u << 20}) {
    GgufBuilder b;
    const std::vector<float> values(16, 1.0f);
    b.alignment(alignment).add_f32("x", {16}, values);
    const std::vector<std::byte> bytes = b.build();
    const File file = File::from_bytes(bytes, "m.gguf");
    EXPECT_EQ(file.alignment(), alignment);
    EXPECT_EQ(file.tensors()[0].file_offset, (b.header_size() + alignment - 1) / alignment * alignment);
  }
}

TEST(GgufFile, AFileWithoutTensorsNeedsNoDataSection) {
  GgufBuilder b;
  std::vector<std::byte> bytes = b.add("only", "keys").build();
  bytes.resize(b.header_size());
  const File file = File::from_bytes(bytes, "m.gguf");
  EXPECT_EQ(file.get_string("only"), "keys");
  EXPECT_EQ(file.alignment(), 32u);
  EXPECT_TRUE(file.tensors().empty());
}

TEST(GgufFile, ViewsOutliveAMoveOfTheFile) {
  const TempFile on_disk(sample_builder().build());
  File file = File::open(on_disk.path());
  EXPECT_EQ(file.name(), on_disk.path());
  const std::string_view key = file.key(1);
  const gguf::NumberArray numbers = *file.get_numbers("a.f32");
  const Tensor* const tensor = file.find_tensor("b");
  const std::size_t before = walk(file);

  const File moved = std::move(file);
  EXPECT_EQ(key, "k.u8");
  EXPECT_EQ(numbers.at(0), 0.5);
  EXPECT_THROW(numbers.int_at(0), ModelError);
  EXPECT_EQ(moved.find_tensor("b"), tensor);
  EXPECT_EQ(walk(moved), before);
}

TEST(GgufFile, OpenReadsTheSameAsFromBytes) {
  const std::vector<std::byte> bytes = sample_builder().build();
  const TempFile on_disk(bytes);
  const File file = File::open(on_disk.path());
  EXPECT_TRUE(std::ranges::equal(file.bytes(), bytes));
  EXPECT_EQ(file.n_keys(), File::from_bytes(bytes, "m").n_keys());
}

TEST(GgufFile, TheCanaryModelReads) {
  const File file = File::open(BITNET_MODELS "/canary.gguf");
  EXPECT_EQ(file.get_string("general.architecture"), "bitnet-b1.58");
  EXPECT_EQ(file.get_strings("tokenizer.ggml.tokens")->size(), 1024u);
  EXPECT_GT(walk(file), 0u);
}

// A hundred thousand keys and tensors: a search or a check for duplicates that is quadratic would take
// minutes.
TEST(GgufFile, ManyKeysAndTensorsAreReadInLessThanQuadraticTime) {
  constexpr int kCount = 100000;
  GgufBuilder b;
  const std::vector<std::byte> data(128);
  const auto name = [](int i) { return "blk." + std::to_string(i * 7919 % kCount) + ".weight"; };
  for (int i = 0; i < kCount; ++i) b.add(name(i), static_cast<std::uint32_t>(i));
  for (int i = 0; i < kCount; ++i) b.add_tensor(name(i), {1}, 0, data);
  const std::vector<std::byte> bytes = b.build();

  const auto start = std::chrono::steady_clock::now();
  const File file = File::from_bytes(bytes, "m.gguf");
  for (int i = 0; i < kCount; ++i) {
    ASSERT_EQ(file.get_uint(name(i)), static_cast<std::uint64_t>(i));
    ASSERT_EQ(file.find_tensor(name(i)), &file.tensors()[static_cast<std::size_t>(i)]);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(test::kIsEmulated ? 400 : 20));
}

}  // namespace
}  // namespace bitnet::test
