#include "base/parse_float.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <system_error>

namespace bitnet::test {
namespace {

// "VALUE LENGTH", "invalid" or "range".
template <typename Float>
std::string parsed(std::string_view text) {
  Float value = 7;
  const auto [end, error] = parse_float(text, value);
  if (error == std::errc::invalid_argument) return end == text.data() && value == 7 ? "invalid" : "changed";
  if (error == std::errc::result_out_of_range) return value == 7 ? "range" : "changed";
  std::array<char, 64> digits{};
  char* const last = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return std::string(digits.data(), last) + " " + std::to_string(end - text.data());
}

TEST(ParseFloat, TakesTheLongestNumberThatTheTextBeginsWith) {
  EXPECT_EQ(parsed<float>("0.7"), "0.7 3");
  EXPECT_EQ(parsed<float>("-0"), "-0 2");
  EXPECT_EQ(parsed<double>(".5x"), "0.5 2");
  EXPECT_EQ(parsed<double>("5."), "5 2");
  EXPECT_EQ(parsed<double>("1e3"), "1000 3");
  EXPECT_EQ(parsed<double>("1E-2,"), "0.01 4");
  EXPECT_EQ(parsed<double>("1e+"), "1 1");
  EXPECT_EQ(parsed<double>("1,5"), "1 1");
  EXPECT_EQ(parsed<double>("0x10"), "0 1");
  EXPECT_EQ(parsed<double>("-Inf"), "-inf 4");
  EXPECT_EQ(parsed<double>("infinity!"), "inf 8");
  EXPECT_EQ(parsed<double>("nan"), "nan 3");
  EXPECT_EQ(parsed<double>(std::string_view("12345").substr(0, 2)), "12 2");
}

TEST(ParseFloat, RefusesWhatIsNoNumber) {
  for (const char* text : {"", "-", ".", "e5", "-.", "+1", " 1", "warm", "--1", "in", "-e1"}) {
    EXPECT_EQ(parsed<float>(text), "invalid") << text;
    EXPECT_EQ(parsed<double>(text), "invalid") << text;
  }
}

TEST(ParseFloat, SaysWhatIsOutOfRange) {
  EXPECT_EQ(parsed<float>("1e39"), "range");
  EXPECT_EQ(parsed<float>("-1e39"), "range");
  EXPECT_EQ(parsed<float>("1e-60"), "range");
  EXPECT_EQ(parsed<double>("1e-60"), "1e-60 5");
  EXPECT_EQ(parsed<double>("1e400"), "range");
  EXPECT_EQ(parsed<double>("1e-400"), "range");
  EXPECT_EQ(parsed<double>("0e-400"), "0 6");
  EXPECT_EQ(parsed<double>("5e-324"), "5e-324 6");
}

// Every bit comes back, and float is rounded once, not by way of double.
TEST(ParseFloat, RoundsToTheNearest) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const auto single = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    const auto wide = std::bit_cast<double>(random());
    std::array<char, 64> digits{};
    if (std::isfinite(single)) {
      const char* const end = std::to_chars(digits.data(), digits.data() + 64, single).ptr;
      float got = 1;
      EXPECT_EQ(parse_float({digits.data(), end}, got).ptr, end);
      EXPECT_EQ(std::bit_cast<std::uint32_t>(got), std::bit_cast<std::uint32_t>(single));
    }
    if (std::isfinite(wide)) {
      const char* const end = std::to_chars(digits.data(), digits.data() + 64, wide).ptr;
      double got = 1;
      EXPECT_EQ(parse_float({digits.data(), end}, got).ptr, end);
      EXPECT_EQ(std::bit_cast<std::uint64_t>(got), std::bit_cast<std::uint64_t>(wide));
    }
  }
  float single = 0;  // a little above the middle between 1 and the next float: in double it is the middle
  parse_float("1.00000005960464477539063", single);
  EXPECT_EQ(single, 1.00000011920928955F);
}

TEST(ParseFloat, KnowsNoLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8"}) {
    std::setlocale(LC_ALL, name);  // those that are not installed change nothing
    EXPECT_EQ(parsed<double>("1.5"), "1.5 3") << name;
  }
  std::setlocale(LC_ALL, before.c_str());
}

}  // namespace
}  // namespace bitnet::test
