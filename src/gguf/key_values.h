// The metadata of a GGUF file to be written: keys in their order, each with a value as it stands in the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "gguf/value.h"

namespace bitnet::gguf {

template <typename T>
concept Number = std::is_arithmetic_v<T>;

// The type that a value of T is written as: std::uint32_t gives u32, float f32, bool boolean.
template <Number T>
constexpr ValueType value_type_of() {
  using enum ValueType;
  if constexpr (std::is_same_v<T, bool>) {
    return boolean;
  } else if constexpr (std::is_floating_point_v<T>) {
    static_assert(sizeof(T) <= 8);
    return sizeof(T) == 4 ? f32 : f64;
  } else {
    constexpr ValueType kSigned[] = {i8, i16, i32, i64};
    constexpr ValueType kUnsigned[] = {u8, u16, u32, u64};
    constexpr std::size_t log_size = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return std::is_signed_v<T> ? kSigned[log_size] : kUnsigned[log_size];
  }
}

// Keys are unique and not empty. One that is set again keeps its place and changes its value.
class KeyValues {
 public:
  template <Number T>
  void set(std::string_view key, T value) {
    std::vector<std::byte>& out = begin(key, value_type_of<T>());
    put(out, value);
  }
  void set(std::string_view key, std::string_view value);
  // A value that was read from a file, byte for byte, behind all others; the key must be new.
  void append(std::string_view key, const Value& value);

  template <Number T>
  void set_array(std::string_view key, std::span<const T> values) {
    put_numbers(begin_array(key, value_type_of<T>(), values.size()), values);
  }
  void set_array(std::string_view key, std::span<const std::string> values);

  // An integer, in the type that the key has already; false, and nothing is done, where there is no such key
  // or it holds no integer that can be so large.
  bool set_integer_in_place(std::string_view key, std::uint64_t value);

  bool has(std::string_view key) const { return find(key) != nullptr; }
  void remove(std::string_view key);
  std::size_t size() const { return entries_.size(); }
  std::string_view key(std::size_t i) const { return entries_[i].key; }

  std::uint64_t n_bytes() const;  // as they stand in the file
  void append_to(std::vector<std::byte>& out) const;

  template <Number T>
  static void put_numbers(std::vector<std::byte>& out, std::span<const T> values) {
    put_bytes(out, std::as_bytes(values));
  }
  template <Number T>
  static void put(std::vector<std::byte>& out, T value) {
    put_numbers(out, std::span<const T>(&value, 1));
  }
  static void put_bytes(std::vector<std::byte>& out, std::span<const std::byte> bytes);
  static void put_string(std::vector<std::byte>& out, std::string_view text);

 private:
  struct Entry {
    std::string key;
    std::vector<std::byte> value;  // its type, then itself
  };
  const Entry* find(std::string_view key) const;
  // The key's value, empty but for its type.
  std::vector<std::byte>& begin(std::string_view key, ValueType type);
  std::vector<std::byte>& begin_array(std::string_view key, ValueType element_type, std::uint64_t count);

  std::vector<Entry> entries_;
};

}  // namespace bitnet::gguf
