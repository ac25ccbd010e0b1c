#include "gguf/value.h"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "gguf/load.h"

namespace bitnet::gguf {
namespace {

constexpr std::size_t kArrayHeader = sizeof(std::uint32_t) + sizeof(std::uint64_t);  // element type, count

// Calls `use` with the number of type `type` at `at`; the caller has checked is_number(type).
template <typename Use>
auto with_number(ValueType type, const std::byte* at, const Use& use) {
  switch (type) {
    case ValueType::u8:
      return use(load<std::uint8_t>(at));
    case ValueType::i8:
      return use(load<std::int8_t>(at));
    case ValueType::u16:
      return use(load<std::uint16_t>(at));
    case ValueType::i16:
      return use(load<std::int16_t>(at));
    case ValueType::u32:
      return use(load<std::uint32_t>(at));
    case ValueType::i32:
      return use(load<std::int32_t>(at));
    case ValueType::u64:
      return use(load<std::uint64_t>(at));
    case ValueType::i64:
      return use(load<std::int64_t>(at));
    case ValueType::f32:
      return use(load<float>(at));
    default:
      return use(load<double>(at));
  }
}

// The integer at `at` as To; nullopt when To cannot hold it or it is a float.
template <typename To>
std::optional<To> integer(ValueType type, const std::byte* at) {
  return with_number(type, at, [](auto number) -> std::optional<To> {
    if constexpr (std::is_integral_v<decltype(number)>) {
      if (std::in_range<To>(number)) return static_cast<To>(number);
    }
    return std::nullopt;
  });
}

double number(ValueType type, const std::byte* at) {
  return with_number(type, at, [](auto n) { return static_cast<double>(n); });
}

std::string format_number(ValueType type, const std::byte* at) {
  return with_number(type, at, [](auto n) {
    std::array<char, 32> text{};  // the longest, a double, takes 24
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), n);
    return std::string(text.data(), end);
  });
}

// One value that is not an array, in about `max_chars` characters.
std::string format_scalar(ValueType type, const std::byte* at, std::size_t max_chars) {
  if (type == ValueType::string) return '"' + printable(load_string(at), max_chars) + '"';
  if (type == ValueType::boolean) return load<std::uint8_t>(at) != 0 ? "true" : "false";
  return format_number(type, at);
}

}  // namespace

std::string_view name_of(ValueType type) {
  switch (type) {
    case ValueType::u8:
      return "u8";
    case ValueType::i8:
      return "i8";
    case ValueType::u16:
      return "u16";
    case ValueType::i16:
      return "i16";
    case ValueType::u32:
      return "u32";
    case ValueType::i32:
      return "i32";
    case ValueType::f32:
      return "f32";
    case ValueType::boolean:
      return "bool";
    case ValueType::string:
      return "string";
    case ValueType::array:
      return "array";
    case ValueType::u64:
      return "u64";
    case ValueType::i64:
      return "i64";
    case ValueType::f64:
      return "f64";
  }
  return "unknown";
}

std::size_t size_of(ValueType type) {
  switch (type) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean:
      return 1;
    case ValueType::u16:
    case ValueType::i16:
      return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32:
      return 4;
    case ValueType::u64:
    case ValueType::i64:
    case ValueType::f64:
      return 8;
    case ValueType::string:
    case ValueType::array:
      break;
  }
  return 0;
}

bool is_number(ValueType type) { return size_of(type) != 0 && type != ValueType::boolean; }

bool is_integer(ValueType type) {
  return is_number(type) && type != ValueType::f32 && type != ValueType::f64;
}

std::string_view StringArray::Iterator::operator*() const { return load_string(at_); }

StringArray::Iterator& StringArray::Iterator::operator++() {
  at_ += sizeof(std::uint64_t) + load_string(at_).size();
  --remaining_;
  return *this;
}

const std::byte* NumberArray::element(std::size_t i) const {
  if (i >= size_) {
    throw ModelError(printable(*origin_.file, kMaxPrintedPath),
                     "element " + std::to_string(i) + " is missing: the array has " + std::to_string(size_) +
                         " (key '" + printable(origin_.key, kMaxPrintedName) + "')",
                     "convert the model again");
  }
  return first_ + i * size_of(type_);
}

double NumberArray::at(std::size_t i) const { return number(type_, element(i)); }

std::int64_t NumberArray::int_at(std::size_t i) const {
  const std::byte* const at = element(i);
  const auto value = integer<std::int64_t>(type_, at);
  if (!value) {
    throw ModelError(printable(*origin_.file, kMaxPrintedPath),
                     "element " + std::to_string(i) + " is " + format_number(type_, at) + " (" +
                         std::string(name_of(type_)) + "), not a 64-bit signed integer (key '" +
                         printable(origin_.key, kMaxPrintedName) + "')",
                     "convert the model again");
  }
  return *value;
}

ValueType Value::element_type() const {
  return type_ == ValueType::array ? static_cast<ValueType>(load<std::uint32_t>(data_)) : type_;
}

std::size_t Value::size() const {
  if (type_ != ValueType::array) return 1;
  return static_cast<std::size_t>(load<std::uint64_t>(data_ + sizeof(std::uint32_t)));
}

const std::byte* Value::elements() const { return type_ == ValueType::array ? data_ + kArrayHeader : data_; }

std::optional<std::string_view> Value::as_string() const {
  if (type_ != ValueType::string) return std::nullopt;
  return load_string(data_);
}

std::optional<bool> Value::as_bool() const {
  if (type_ != ValueType::boolean) return std::nullopt;
  return load<std::uint8_t>(data_) != 0;
}

std::optional<std::uint64_t> Value::as_uint() const {
  return is_integer(type_) ? integer<std::uint64_t>(type_, data_) : std::nullopt;
}

std::optional<std::int64_t> Value::as_int() const {
  return is_integer(type_) ? integer<std::int64_t>(type_, data_) : std::nullopt;
}

std::optional<double> Value::as_number() const {
  if (!is_number(type_)) return std::nullopt;
  return number(type_, data_);
}

std::optional<StringArray> Value::as_strings() const {
  if (type_ != ValueType::array || element_type() != ValueType::string) return std::nullopt;
  return StringArray(elements(), size());
}

std::optional<NumberArray> Value::as_numbers() const {
  if (type_ != ValueType::array || !is_number(element_type())) return std::nullopt;
  return NumberArray(origin_, element_type(), elements(), size());
}

std::optional<std::vector<bool>> Value::as_flags() const {
  const ValueType type = element_type();
  const bool are_bools = type == ValueType::boolean;
  if (type_ != ValueType::array || !(are_bools || is_integer(type))) return std::nullopt;
  std::vector<bool> flags;
  const std::byte* at = elements();
  for (std::size_t i = 0; i < size(); ++i, at += size_of(type))
    flags.push_back(are_bools ? load<std::uint8_t>(at) != 0 : number(type, at) != 0);
  return flags;
}

bool Value::has_only_zeros() const {
  const ValueType type = element_type();
  if (type_ != ValueType::array || size_of(type) == 0) return false;
  const std::byte* at = elements();
  for (std::size_t i = 0; i < size(); ++i, at += size_of(type)) {
    if (type == ValueType::boolean ? load<std::uint8_t>(at) != 0 : number(type, at) != 0) return false;
  }
  return true;
}

std::span<const std::byte> Value::bytes() const {
  const ValueType type = element_type();
  const std::byte* end = elements();
  if (type == ValueType::string) {
    for (std::size_t i = 0; i < size(); ++i) end += sizeof(std::uint64_t) + load_string(end).size();
  } else {
    end += size() * size_of(type);
  }
  return {data_, end};
}

std::string Value::describe_type() const {
  if (type_ != ValueType::array) return std::string(name_of(type_));
  return "array of " + std::string(name_of(element_type()));
}

std::string Value::to_display(std::size_t max_chars) const {
  const ValueType type = element_type();
  if (type_ != ValueType::array) return format_scalar(type, data_, max_chars);

  constexpr std::string_view kMore = "...";
  std::string out = "[";
  const std::byte* at = elements();
  const std::size_t n = size();
  for (std::size_t i = 0; i < n; ++i) {
    const std::string element = format_scalar(type, at, max_chars);
    const std::string_view separator = i == 0 ? "" : ", ";
    // Every element but the last leaves room for the mark that says there are more.
    const std::size_t rest = 1 + (i + 1 == n ? 0 : 2 + kMore.size());
    if (out.size() + separator.size() + element.size() + rest > max_chars) {
      out.append(separator).append(kMore);
      break;
    }
    out.append(separator).append(element);
    at += type == ValueType::string ? sizeof(std::uint64_t) + load_string(at).size() : size_of(type);
  }
  return out + "] (" + std::to_string(n) + " x " + std::string(name_of(type)) + ")";
}

}  // namespace bitnet::gguf
