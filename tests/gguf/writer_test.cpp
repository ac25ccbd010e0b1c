// What the writer writes, the reader reads back.
#include "gguf/writer.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "gguf/gguf.h"

namespace bitnet::gguf {
namespace {

// The header, then each tensor's bytes all equal to its number.
std::vector<std::byte> file_of(const Writer& writer, const std::vector<std::size_t>& tensor_bytes) {
  std::vector<std::byte> file = writer.header();
  file.resize(writer.file_size());
  for (std::size_t i = 0; i < tensor_bytes.size(); ++i) {
    std::memset(file.data() + writer.data_offset(i), static_cast<int>(i), tensor_bytes[i]);
  }
  return file;
}

TEST(GgufWriter, KeysOfEveryTypeAreReadBack) {
  Writer writer;
  writer.add("string", "text");
  writer.add("empty", "");
  writer.add("u8", std::uint8_t{200});
  writer.add("i8", std::int8_t{-3});
  writer.add("u16", std::uint16_t{60000});
  writer.add("i16", std::int16_t{-4});
  writer.add("u32", std::uint32_t{4000000000});
  writer.add("i32", std::int32_t{-5});
  writer.add("u64", std::uint64_t{1} << 63);
  writer.add("i64", std::int64_t{-6});
  writer.add("f32", 0.25F);
  writer.add("f64", 1e300);
  writer.add("bool", true);
  const std::vector<std::byte> bytes = writer.header();
  const File file = File::from_bytes(bytes, "m.gguf");

  EXPECT_EQ(file.version(), 3U);
  EXPECT_EQ(file.n_keys(), 13U);
  EXPECT_EQ(file.key(0), "string");
  EXPECT_EQ(file.get_string("string"), "text");
  EXPECT_EQ(file.get_string("empty"), "");
  EXPECT_EQ(file.get_uint("u8"), 200U);
  EXPECT_EQ(file.find("i8")->as_int(), -3);
  EXPECT_EQ(file.get_uint("u16"), 60000U);
  EXPECT_EQ(file.find("i16")->as_int(), -4);
  EXPECT_EQ(file.get_uint("u32"), 4000000000U);
  EXPECT_EQ(file.find("i32")->as_int(), -5);
  EXPECT_EQ(file.get_uint("u64"), std::uint64_t{1} << 63);
  EXPECT_EQ(file.find("i64")->as_int(), -6);
  EXPECT_EQ(file.get_number("f32"), 0.25);
  EXPECT_EQ(file.get_number("f64"), 1e300);
  EXPECT_EQ(file.get_bool("bool"), true);
  for (const std::string_view typed : {"u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"}) {
    EXPECT_EQ(name_of(file.find(typed)->type()), typed);
  }
}

TEST(GgufWriter, ArraysAreReadBack) {
  Writer writer;
  const std::vector<std::string> strings{"a", "", "longer"};
  const std::vector<float> floats{1.5F, -2.0F};
  const std::vector<std::int32_t> ints{1, -1, 7};
  writer.add_array("strings", strings);
  writer.add_array("none", std::span<const std::string>());
  writer.add_array("floats", std::span<const float>(floats));
  writer.add_array("ints", std::span<const std::int32_t>(ints));
  const std::vector<std::byte> bytes = writer.header();
  const File file = File::from_bytes(bytes, "m.gguf");

  const auto read = *file.get_strings("strings");
  EXPECT_EQ(std::vector<std::string>(read.begin(), read.end()), strings);
  EXPECT_TRUE(file.get_strings("none")->empty());
  EXPECT_EQ(file.get_numbers("floats")->at(1), -2.0);
  EXPECT_EQ(file.get_numbers("ints")->int_at(1), -1);
  EXPECT_EQ(file.get_numbers("ints")->size(), 3U);
}

TEST(GgufWriter, TensorsLieAtTheirOffsetsAndCarryTheirShapes) {
  for (const std::uint32_t alignment : {8U, 32U, 4096U}) {
    Writer writer(alignment);
    const std::array<std::uint64_t, 1> vector{3};
    const std::array<std::uint64_t, 4> block{2, 3, 1, 5};
    writer.add("key", "value");
    EXPECT_EQ(writer.add_tensor("first", vector, 0, 12), 0U);
    EXPECT_EQ(writer.add_tensor("second", block, 1, 60), 1U);
    const std::vector<std::byte> bytes = file_of(writer, {12, 60});
    const File file = File::from_bytes(bytes, "m.gguf");

    EXPECT_EQ(file.alignment(), alignment);
    EXPECT_EQ(file.data_offset(), writer.header().size());
    ASSERT_EQ(file.tensors().size(), 2U);
    const Tensor& second = *file.find_tensor("second");
    EXPECT_EQ(second.n_dims, 4U);
    EXPECT_EQ(second.dims, block);
    EXPECT_EQ(second.type, 1U);
    EXPECT_EQ(second.file_offset, writer.data_offset(1));
    EXPECT_EQ(second.file_offset % alignment, 0U);
    EXPECT_GE(second.extent.size(), 60U);
    EXPECT_EQ(second.extent[0], std::byte{1});
    EXPECT_EQ(file.find_tensor("first")->extent[11], std::byte{0});
    EXPECT_EQ(file.find_tensor("first")->n_dims, 1U);
    EXPECT_EQ(writer.file_size() % alignment, 0U);
  }
}

}  // namespace
}  // namespace bitnet::gguf
