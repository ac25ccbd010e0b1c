#include "gguf/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <iterator>
#include <limits>

#include "bitnet/error.h"
#include "gguf/gguf.h"
#include "gguf/sample_file.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using gguf::File;
using gguf::ValueType;

static_assert(std::forward_iterator<gguf::StringArray::Iterator>);

class SampleValues : public testing::Test {
 protected:
  std::vector<std::byte> bytes_ = sample_builder().build();
  File file_ = File::from_bytes(bytes_, "m.gguf");

  std::string display(std::string_view key, std::size_t max_chars = 60) const {
    return file_.find(key)->to_display(max_chars);
  }
};

TEST_F(SampleValues, IntegersOfEveryWidthReadBack) {
  EXPECT_EQ(file_.get_uint("k.u8"), 200u);
  EXPECT_EQ(file_.get_uint("k.u16"), 60000u);
  EXPECT_EQ(file_.get_uint("k.u32"), 4000000000u);
  EXPECT_EQ(file_.get_uint("k.u64"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(file_.find("k.i8")->as_int(), -100);
  EXPECT_EQ(file_.find("k.i16")->as_int(), -30000);
  EXPECT_EQ(file_.find("k.i32")->as_int(), -2000000000);
  EXPECT_EQ(file_.find("k.i64")->as_int(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(file_.find("k.u64")->as_int(), std::nullopt);
}

TEST_F(SampleValues, NumbersReadAsDoublesWhateverTheirType) {
  EXPECT_EQ(file_.get_number("k.i8"), -100.0);
  EXPECT_EQ(file_.get_number("k.u32"), 4e9);
  EXPECT_EQ(file_.get_number("k.f32"), 1.5);
  EXPECT_EQ(file_.get_number("k.f64"), -2.25);
}

TEST_F(SampleValues, BoolsAndStringsReadBack) {
  EXPECT_EQ(file_.get_bool("k.true"), true);
  EXPECT_EQ(file_.get_bool("k.false"), false);
  EXPECT_EQ(file_.get_string("k.string"), "text");
  EXPECT_EQ(file_.get_string("k.empty"), "");
}

TEST_F(SampleValues, NumberArraysOfEveryTypeReadBack) {
  const auto ints = [&](std::string_view key) {
    const auto array = file_.get_numbers(key);
    std::vector<std::int64_t> out;
    for (std::size_t i = 0; i < array->size(); ++i) out.push_back(array->int_at(i));
    return out;
  };
  using Ints = std::vector<std::int64_t>;
  EXPECT_EQ(ints("a.u8"), (Ints{1, 255}));
  EXPECT_EQ(ints("a.i8"), (Ints{-1, 127}));
  EXPECT_EQ(ints("a.u16"), (Ints{1, 65535}));
  EXPECT_EQ(ints("a.i16"), (Ints{-1, 2}));
  EXPECT_EQ(ints("a.u32"), (Ints{1, 4294967295}));
  EXPECT_EQ(ints("a.i32"), (Ints{-1, 2}));
  EXPECT_EQ(ints("a.i64"), (Ints{-1, 2}));
  EXPECT_EQ(ints("a.none"), Ints{});
  EXPECT_EQ(file_.get_numbers("a.u64")->at(1), 0x1p63);
  EXPECT_EQ(file_.get_numbers("a.f32")->at(1), -3.0);
  EXPECT_EQ(file_.get_numbers("a.f64")->at(0), 0.1);
  EXPECT_EQ(file_.get_numbers("a.f64")->element_type(), ValueType::f64);
}

TEST_F(SampleValues, StringArraysAreWalkedAsOftenAsWanted) {
  const auto strings = file_.get_strings("a.string");
  ASSERT_TRUE(strings);
  EXPECT_EQ(strings->size(), 3u);
  const std::vector<std::string_view> expected{"one", "", "three"};
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ((std::vector<std::string_view>(strings->begin(), strings->end())), expected);
  }
  auto second = std::next(strings->begin());
  EXPECT_EQ(*second++, "");
  EXPECT_EQ(*second, "three");
}

TEST_F(SampleValues, AnAbsentKeyIsNoError) {
  EXPECT_EQ(file_.get_string("none"), std::nullopt);
  EXPECT_EQ(file_.get_uint("none"), std::nullopt);
  EXPECT_EQ(file_.get_number("none"), std::nullopt);
  EXPECT_EQ(file_.get_bool(""), std::nullopt);
  EXPECT_FALSE(file_.get_strings("k.strin"));
  EXPECT_FALSE(file_.get_numbers("k.string2"));
  EXPECT_FALSE(file_.find("zzz"));
}

template <typename Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const ModelError& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(SampleValues, AValueOfAnotherTypeIsRefusedByFileAndKey) {
  const auto expect = [](const std::string& message, const std::string& what, const std::string& key) {
    EXPECT_TRUE(message.starts_with("m.gguf: ")) << message;
    EXPECT_TRUE(has(message, what));
    EXPECT_TRUE(has(message, "(key '" + key + "', byte offset "));
  };
  expect(error_of([&] { file_.get_uint("k.i8"); }), "i8 -100, not an integer of 0 or more", "k.i8");
  expect(error_of([&] { file_.get_uint("k.f32"); }), "f32 1.5, not an integer", "k.f32");
  expect(error_of([&] { file_.get_uint("k.true"); }), "bool, not an integer", "k.true");
  expect(error_of([&] { file_.get_number("k.string"); }), "string, not a number", "k.string");
  expect(error_of([&] { file_.get_string("k.u8"); }), "u8 200, not a string", "k.u8");
  expect(error_of([&] { file_.get_bool("k.u8"); }), "not a bool", "k.u8");
  expect(error_of([&] { file_.get_strings("a.i32"); }), "array of i32, not an array of strings", "a.i32");
  expect(error_of([&] { file_.get_strings("k.string"); }), "string, not an array of strings", "k.string");
  expect(error_of([&] { file_.get_numbers("a.string"); }), "array of string, not an array of numbers",
         "a.string");
  expect(error_of([&] { file_.get_numbers("a.bool"); }), "array of bool, not an array of numbers", "a.bool");
}

TEST_F(SampleValues, AnElementThatIsNoInt64OrNotThereIsRefusedByKey) {
  const std::string too_big = error_of([&] { file_.get_numbers("a.u64")->int_at(1); });
  EXPECT_TRUE(has(too_big, "element 1 is 9223372036854775808 (u64)"));
  const std::string fraction = error_of([&] { file_.get_numbers("a.f32")->int_at(0); });
  EXPECT_TRUE(has(fraction, "m.gguf: element 0 is 0.5 (f32)"));
  EXPECT_TRUE(has(fraction, "key 'a.f32'"));
  const std::string missing = error_of([&] { file_.get_numbers("a.i32")->at(2); });
  EXPECT_TRUE(has(missing, "element 2 is missing: the array has 2"));
}

TEST_F(SampleValues, DisplayShowsEveryType) {
  EXPECT_EQ(display("k.i8"), "-100");
  EXPECT_EQ(display("k.u64"), "18446744073709551615");
  EXPECT_EQ(display("k.f32"), "1.5");
  EXPECT_EQ(display("k.true"), "true");
  EXPECT_EQ(display("k.string"), "\"text\"");
  EXPECT_EQ(display("k.string", 3), "\"...\"");
  EXPECT_EQ(display("a.i8"), "[-1, 127] (2 x i8)");
  EXPECT_EQ(display("a.bool"), "[true, false, true] (3 x bool)");
  EXPECT_EQ(display("a.string"), "[\"one\", \"\", \"three\"] (3 x string)");
  EXPECT_EQ(display("a.none"), "[] (0 x i32)");
}

TEST_F(SampleValues, DisplayOfALongArrayEndsAfterWhatFits) {
  GgufBuilder b;
  std::vector<std::int32_t> many(100000, 7);
  const std::vector<std::byte> bytes = b.add_array("many", many).build();
  const File file = File::from_bytes(bytes, "m.gguf");
  EXPECT_EQ(file.find("many")->to_display(16), "[7, 7, 7, ...] (100000 x i32)");
  EXPECT_EQ(file.find("many")->to_display(0), "[...] (100000 x i32)");
}

TEST_F(SampleValues, DisplayEscapesWhatATerminalWouldObey) {
  GgufBuilder b;
  const std::vector<std::byte> bytes = b.add("title", "\x1b]0;owned\x07\nnext").build();
  EXPECT_EQ(File::from_bytes(bytes, "m.gguf").find("title")->to_display(80), "\"\\x1b]0;owned\\x07\\nnext\"");
}

TEST_F(SampleValues, NanAndInfinityAreValues) {
  GgufBuilder b;
  b.add("nan", std::nanf("")).add("inf", std::numeric_limits<double>::infinity());
  const std::vector<std::byte> bytes = b.build();
  const File file = File::from_bytes(bytes, "m.gguf");
  EXPECT_TRUE(std::isnan(*file.get_number("nan")));
  EXPECT_EQ(file.find("nan")->to_display(9), "nan");
  EXPECT_EQ(file.find("inf")->to_display(9), "inf");
}

}  // namespace
}  // namespace bitnet::test
