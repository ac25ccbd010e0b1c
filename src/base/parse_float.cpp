#include "base/parse_float.h"

#include <locale.h>
#include <stdlib.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

#include <algorithm>
#include <cmath>
#include <string>
#include <system_error>

namespace bitnet {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

// Whether `text` has `word`, which is in lower case, at `at`.
bool has_word(std::string_view text, std::size_t at, std::string_view word) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(text.substr(std::min(at, text.size()), word.size()), word, {}, lower);
}

// How much of the text is a number: [-] digits [. digits] [e [+-] digits], inf, infinity or nan. strtod would
// take blanks, a plus sign and hexadecimal digits too.
std::size_t length_of_number(std::string_view text) {
  const std::size_t begin = text.starts_with('-') ? 1 : 0;
  for (const std::string_view word : {"infinity", "inf", "nan"}) {
    if (has_word(text, begin, word)) return begin + word.size();
  }
  std::size_t end = skip_digits(text, begin);
  std::size_t n_digits = end - begin;
  if (end < text.size() && text[end] == '.') {
    const std::size_t fraction_end = skip_digits(text, end + 1);
    n_digits += fraction_end - (end + 1);
    end = fraction_end;
  }
  if (n_digits == 0) return 0;
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    std::size_t digits = end + 1;
    if (digits < text.size() && (text[digits] == '+' || text[digits] == '-')) ++digits;
    const std::size_t exponent_end = skip_digits(text, digits);
    if (exponent_end > digits) end = exponent_end;
  }
  return end;
}

// Any digit but 0 before the exponent: then a result of 0 is one that was too small.
bool is_nonzero(std::string_view number) {
  const std::string_view mantissa = number.substr(0, number.find_first_of("eE"));
  return std::ranges::any_of(mantissa, [](char c) { return is_digit(c) && c != '0'; });
}

template <typename Float, typename Convert>
std::from_chars_result parse(std::string_view text, Float& value, Convert convert) {
  const std::size_t length = length_of_number(text);
  if (length == 0) return {text.data(), std::errc::invalid_argument};
  const std::string number(text.substr(0, length));  // with the zero byte that C functions need
  static const locale_t kC = ::newlocale(LC_ALL_MASK, "C", nullptr);
  const Float result = convert(number.c_str(), kC);
  const char* const end = text.data() + length;
  const bool is_finite_text = is_digit(number.back()) || number.back() == '.';
  if (is_finite_text && (std::isinf(result) || (result == 0 && is_nonzero(number)))) {
    return {end, std::errc::result_out_of_range};
  }
  value = result;
  return {end, std::errc{}};
}

}  // namespace

std::from_chars_result parse_float(std::string_view text, float& value) {
  return parse(text, value, [](const char* number, locale_t c) { return ::strtof_l(number, nullptr, c); });
}

std::from_chars_result parse_float(std::string_view text, double& value) {
  return parse(text, value, [](const char* number, locale_t c) { return ::strtod_l(number, nullptr, c); });
}

}  // namespace bitnet
