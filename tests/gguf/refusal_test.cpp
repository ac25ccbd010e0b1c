// Each way a header can be wrong, with the message it gets: the fault, the key or tensor, the byte offset.
#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>

#include "gguf/sample_file.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

std::string at(std::size_t offset) { return "byte offset " + std::to_string(offset) + ")"; }

void expect_refused(std::span<const std::byte> bytes, std::initializer_list<std::string> parts) {
  const std::string message = refusal_of_file(bytes);
  EXPECT_TRUE(message.starts_with("m.gguf: ")) << message;
  EXPECT_TRUE(lacks(message, "\n"));
  EXPECT_NE(message.find("); "), std::string::npos) << "no hint: " << message;
  for (const std::string& part : parts) EXPECT_TRUE(has(message, part));
}

// The sample with one field overwritten.
template <typename T>
std::vector<std::byte> sample_with(std::string_view field, T value) {
  GgufBuilder b = sample_builder();
  std::vector<std::byte> bytes = b.build();
  patch(bytes, b.offset_of(field), value);
  return bytes;
}

std::size_t sample_offset(std::string_view field) {
  GgufBuilder b = sample_builder();
  b.build();
  return b.offset_of(field);
}

template <typename T>
void expect_field_refused(std::string_view field, T value, std::initializer_list<std::string> parts) {
  SCOPED_TRACE(field);
  const std::vector<std::byte> bytes = sample_with(field, value);
  expect_refused(bytes, parts);
  expect_refused(bytes, {at(sample_offset(field))});
}

TEST(GgufRefusal, AForeignFileIsNamedForWhatItIs) {
  expect_refused(sample_with("magic", std::uint32_t{0x04034B51}),
                 {"is not a GGUF file", "begins with 'QK\\x03\\x04'"});
  expect_refused(sample_with("magic", std::uint32_t{0x47475546}), {"is a big-endian GGUF file"});
  expect_refused(sample_with("magic", std::uint32_t{0x67676A74}), {"is a GGML file, older than GGUF"});
  expect_refused({}, {"is not a GGUF file"});
}

TEST(GgufRefusal, AnUnsupportedVersionIsNamed) {
  expect_field_refused("version", std::uint32_t{0}, {"GGUF version 0, not 2 or 3"});
  expect_field_refused("version", std::uint32_t{1}, {"GGUF version 1", "convert the original model"});
  expect_field_refused("version", std::uint32_t{4}, {"GGUF version 4, not 2 or 3"});
  expect_field_refused("version", std::uint32_t{0x03000000}, {"big-endian", "convert it to little-endian"});
}

TEST(GgufRefusal, CountsAreHeldAgainstTheSizeOfTheFile) {
  expect_field_refused("n_tensors", kHuge, {"claims 18446744073709551615 tensors"});
  expect_field_refused("n_keys", kHuge, {"claims 18446744073709551615 keys"});
  expect_field_refused("n_tensors", std::uint64_t{1000}, {"claims 1000 tensors, more than a file of"});
  expect_field_refused("n_keys", std::uint64_t{1000}, {"claims 1000 keys"});
}

TEST(GgufRefusal, CountsAreHeldAgainstTheLeastAnEntryTakes) {
  const std::uint64_t room = sample_builder().build().size() - 24;
  expect_field_refused("n_tensors", room / 33 + 1, {"claims " + std::to_string(room / 33 + 1) + " tensors"});
  expect_field_refused("n_keys", room / 14 + 1, {"claims " + std::to_string(room / 14 + 1) + " keys"});
  expect_field_refused("key a.string/count", room / 8,
                       {"the array of " + std::to_string(room / 8) + " x string"});
}

TEST(GgufRefusal, AKeyCountAboveTheTruthReadsIntoTheTensorsAndIsRefused) {
  EXPECT_NE(refusal_of_file(sample_with("n_keys", std::uint64_t{29})), "");
  EXPECT_NE(refusal_of_file(sample_with("n_tensors", std::uint64_t{4})), "");
}

TEST(GgufRefusal, KeysMustHaveANameThatFits) {
  expect_field_refused("key k.u8/length", std::uint64_t{0}, {"the key is empty", "(key number 2, "});
  expect_field_refused("key k.u8/length", kHuge,
                       {"the key is 18446744073709551615 bytes long, more than 65535"});
  expect_field_refused("key k.u8/length", std::uint64_t{60000}, {"the key of 60000 bytes runs past the end"});
  GgufBuilder b;
  EXPECT_EQ(refusal_of_file(b.add(std::string(65535, 'k'), true).build()), "");
  expect_refused(b.add(std::string(65536, 'k'), true).build(), {"the key is 65536 bytes long"});
}

TEST(GgufRefusal, ValueTypesMustBeKnown) {
  expect_field_refused("key k.u8/type", std::uint32_t{13}, {"the value type is 13", "(key 'k.u8', "});
  expect_field_refused("key k.u8/type", std::uint32_t{0xFFFFFFFF}, {"the value type is 4294967295"});
  expect_field_refused("key a.i32/element_type", std::uint32_t{99}, {"element type is 99", "(key 'a.i32', "});
}

TEST(GgufRefusal, NestedArraysAreRefusedByKey) {
  expect_field_refused("key a.i32/element_type", std::uint32_t{9}, {"an array of arrays", "(key 'a.i32', "});
}

TEST(GgufRefusal, LengthsOfValuesMustFit) {
  expect_field_refused("key k.string/string_length", kHuge,
                       {"the string of 18446744073709551615 bytes runs past", "'k.string'"});
  expect_field_refused("key a.string/element 2/length", kHuge - 7,
                       {"the string of 18446744073709551608 bytes", "'a.string'"});
  for (const std::string key : {"a.u8", "a.i16", "a.f32", "a.u64", "a.bool", "a.string"}) {
    expect_field_refused("key " + key + "/count", kHuge,
                         {"the array of 18446744073709551615 x ", "(key '" + key + "'"});
    // Times the element size this wraps around to little.
    expect_field_refused("key " + key + "/count", (std::uint64_t{1} << 63) + 1,
                         {"runs past the end of the file"});
  }
}

TEST(GgufRefusal, BoolsAreZeroOrOne) {
  GgufBuilder b = sample_builder();
  std::vector<std::byte> bytes = b.build();
  std::size_t place = b.offset_of("key k.true/type") + 4;
  patch(bytes, place, std::uint8_t{2});
  expect_refused(bytes, {"a bool is 2, neither 0 nor 1", "(key 'k.true', ", at(place)});

  bytes = b.build();
  place = b.offset_of("key a.bool/count") + 8 + 2;
  patch(bytes, place, std::uint8_t{255});
  expect_refused(bytes, {"a bool is 255", "(key 'a.bool', ", at(place)});
}

TEST(GgufRefusal, AKeyAppearsOnce) {
  GgufBuilder b;
  std::vector<std::byte> bytes = b.add("x.key", true).add("y", true).add("x.ke2", false).build();
  const std::size_t second = b.offset_of("key x.ke2/length");
  patch(bytes, second + 8 + 4, 'y');
  expect_refused(bytes, {"the key appears twice (key 'x.key', " + at(second)});
}

TEST(GgufRefusal, TensorNamesAreUniqueAndFit) {
  expect_field_refused("tensor b/length", std::uint64_t{0},
                       {"the tensor's name is empty", "(tensor number 2, "});
  expect_field_refused("tensor b/length", kHuge,
                       {"the tensor name is 18446744073709551615 bytes long, more than 255"});

  GgufBuilder longest;
  EXPECT_EQ(refusal_of_file(longest.add_f32(std::string(255, 'n'), {1}, std::vector<float>{1}).build()), "");
  GgufBuilder longer;
  expect_refused(longer.add_f32(std::string(256, 'n'), {1}, std::vector<float>{1}).build(),
                 {"256 bytes long"});

  GgufBuilder b = sample_builder();
  std::vector<std::byte> bytes = b.build();
  const std::size_t entry = b.offset_of("tensor c/length");
  patch(bytes, entry + 8, 'a');
  expect_refused(bytes, {"the tensor's name appears twice (tensor 'a', " + at(entry)});
}

TEST(GgufRefusal, TensorsHaveAtMostFourDimensionsNoneOfThemZero) {
  expect_field_refused("tensor b/n_dims", std::uint32_t{5},
                       {"5 dimensions; 4 are the most", "(tensor 'b', "});
  expect_field_refused("tensor b/n_dims", std::uint32_t{0xFFFFFFFF}, {"4294967295 dimensions"});
  expect_field_refused("tensor b/dim 1", std::uint64_t{0}, {"dimension 1 is 0", "(tensor 'b', "});
}

TEST(GgufRefusal, TheNumberOfElementsFitsSixtyFourBitsAndTheData) {
  expect_field_refused("tensor b/dim 1", kHuge,
                       {"dimension 1 is 18446744073709551615", "exceeds 64 bits", "'b'"});
  // 2^57 * 128 is 2^64, which wraps around to 0.
  expect_field_refused("tensor b/dim 1", std::uint64_t{1} << 57, {"exceeds 64 bits", "(tensor 'b', "});
  expect_refused(sample_with("tensor a/dim 0", kHuge),
                 {"18446744073709551615 elements cannot lie in 32 bytes", "(tensor 'a', "});
  // 32 bytes have 256 bits.
  EXPECT_EQ(refusal_of_file(sample_with("tensor a/dim 0", std::uint64_t{256})), "");
  expect_refused(sample_with("tensor a/dim 0", std::uint64_t{257}),
                 {"257 elements cannot lie in 32 bytes", "'a'"});
}

TEST(GgufRefusal, TheAlignmentIsASanePowerOfTwo) {
  const auto with_alignment = [](std::uint32_t n) {
    GgufBuilder b = sample_builder();
    std::vector<std::byte> bytes = b.build();
    patch(bytes, b.offset_of("key general.alignment/type") + 4, n);
    return bytes;
  };
  for (const std::uint32_t n : {0u, 1u, 4u, 24u, 33u, 1u << 21, 1u << 31, 0xFFFFFFFFu}) {
    expect_refused(with_alignment(n),
                   {"the alignment is " + std::to_string(n) + ", not a power of two from 8 to 1048576",
                    "(key 'general.alignment', " + at(24)});
  }
  GgufBuilder b;
  expect_refused(b.add("general.alignment", std::uint64_t{32}).build(),
                 {"alignment is of type u64, not u32"});
  GgufBuilder text;
  expect_refused(text.add("general.alignment", "32").build(), {"alignment is of type string, not u32"});
}

TEST(GgufRefusal, DataOffsetsAreAlignedAndInsideTheFile) {
  expect_field_refused("tensor b/offset", std::uint64_t{33},
                       {"data offset 33 is not a multiple of the alignment 32", "(tensor 'b', "});
  expect_field_refused("tensor b/offset", std::uint64_t{40},
                       {"data offset 40 is not a multiple of the alignment 32", "(tensor 'b', "});
  const std::string entry = "(tensor 'b', " + at(sample_offset("tensor b/length"));
  expect_refused(sample_with("tensor b/offset", kHuge - 31),
                 {"the data begins 18446744073709551584 bytes into", entry});
  // 32 + 96 + 32 bytes of data: 160 is the first offset behind it.
  expect_refused(sample_with("tensor b/offset", std::uint64_t{160}),
                 {"begins 160 bytes into a data section of 160", entry});
}

TEST(GgufRefusal, TwoTensorsDoNotShareTheirData) {
  const std::string message = refusal_of_file(sample_with("tensor c/offset", std::uint64_t{32}));
  EXPECT_TRUE(has(message, "the data begins at the same byte as that of tensor '"));
  EXPECT_TRUE(has(message, "tensor 'b'"));
  EXPECT_TRUE(has(message, "tensor 'c'"));
}

TEST(GgufRefusal, NamesFromTheFileCannotWriteToTheTerminal) {
  GgufBuilder b;
  const std::string name = "\x1b]0;owned\x07\n" + std::string(200, 'x');
  const std::string message = refusal_of_file(b.add_raw(name, 77, {}).add("x", true).build());
  EXPECT_NE(message.find("(key '\\x1b]0;owned\\x07\\nxxx"), std::string::npos) << message;
  EXPECT_TRUE(has(message, "x...'"));
  EXPECT_TRUE(lacks(message, "\x1b"));
  EXPECT_LT(message.size(), 300u);
}

TEST(GgufRefusal, ATruncatedFileSaysInsideWhatItEnds) {
  const std::vector<std::byte> bytes = sample_builder().build();
  const auto cut = [&](std::size_t n) { return std::span(bytes).first(n); };
  expect_refused(cut(2), {"begins with 'GG'"});
  expect_refused(cut(6), {"the file ends inside the version", at(4)});
  expect_refused(cut(20), {"the file ends inside the key count", at(16)});
  const std::size_t last = sample_offset("tensor c/offset");
  expect_refused(cut(last + 4), {"the file ends inside the data offset", "(tensor 'c', " + at(last)});
}

}  // namespace
}  // namespace bitnet::test
