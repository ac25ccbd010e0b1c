// Metadata that is written: copied from a file, changed in its place, taken out.
#include "gguf/key_values.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "gguf/gguf.h"
#include "gguf/writer.h"

namespace bitnet::gguf {
namespace {

Writer sample() {
  Writer writer;
  writer.add("text", "one");
  writer.add("u8", std::uint8_t{200});
  writer.add("i16", std::int16_t{-4});
  writer.add("u64", std::uint64_t{1} << 63);
  writer.add("f32", 0.25F);
  writer.add("flag", true);
  const std::vector<std::string> texts{"a", "", "longer"};
  writer.add_array("texts", std::span<const std::string>(texts));
  const std::array<std::int32_t, 3> numbers{-1, 0, 7};
  writer.add_array("numbers", std::span<const std::int32_t>(numbers));
  return writer;
}

KeyValues copy_of(const File& file) {
  KeyValues keys;
  for (std::size_t i = 0; i < file.n_keys(); ++i) keys.append(file.key(i), file.value(i));
  return keys;
}

std::vector<std::string> names_of(const File& file) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < file.n_keys(); ++i) names.emplace_back(file.key(i));
  return names;
}

TEST(GgufKeyValues, AreCopiedByteForByte) {
  const std::vector<std::byte> bytes = sample().header();
  const File file = File::from_bytes(bytes, "m.gguf");
  EXPECT_EQ(Writer(copy_of(file), Writer::kDefaultAlignment).header(), bytes);
}

TEST(GgufKeyValues, KeepTheirPlaceWhenTheyAreSetAgain) {
  const std::vector<std::byte> bytes = sample().header();
  const File file = File::from_bytes(bytes, "m.gguf");
  KeyValues keys = copy_of(file);
  keys.set("text", "another, longer one");
  keys.set("numbers", 3.5);  // another type
  keys.set("new", std::uint32_t{1});
  keys.remove("u64");
  keys.remove("not there");
  const std::vector<std::byte> changed = Writer(keys, Writer::kDefaultAlignment).header();
  const File after = File::from_bytes(changed, "m.gguf");
  EXPECT_EQ(names_of(after),
            (std::vector<std::string>{"text", "u8", "i16", "f32", "flag", "texts", "numbers", "new"}));
  EXPECT_EQ(after.get_string("text"), "another, longer one");
  EXPECT_EQ(after.get_number("numbers"), 3.5);
  EXPECT_EQ(after.get_uint("new"), 1U);
}

TEST(GgufKeyValues, AnIntegerChangesInItsOwnType) {
  const std::vector<std::byte> bytes = sample().header();
  KeyValues keys = copy_of(File::from_bytes(bytes, "m.gguf"));
  keys.set_integer_in_place("u8", 40);
  keys.set_integer_in_place("i16", 32767);
  keys.set_integer_in_place("u64", 7);
  keys.set_integer_in_place("f32", 1);  // no integer
  keys.set_integer_in_place("absent", 1);
  const std::vector<std::byte> changed = Writer(keys, Writer::kDefaultAlignment).header();
  const File after = File::from_bytes(changed, "m.gguf");
  EXPECT_EQ(after.find("u8")->type(), ValueType::u8);
  EXPECT_EQ(after.get_uint("u8"), 40U);
  EXPECT_EQ(after.find("i16")->type(), ValueType::i16);
  EXPECT_EQ(after.get_uint("i16"), 32767U);
  EXPECT_EQ(after.find("u64")->type(), ValueType::u64);
  EXPECT_EQ(after.get_uint("u64"), 7U);
  EXPECT_EQ(after.get_number("f32"), 0.25);
  EXPECT_FALSE(after.find("absent"));

  keys.set_integer_in_place("u8", 256);  // what the type cannot hold is not cut
  keys.set_integer_in_place("i16", 32768);
  EXPECT_EQ(Writer(keys, Writer::kDefaultAlignment).header(), changed);
}

}  // namespace
}  // namespace bitnet::gguf
