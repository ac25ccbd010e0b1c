// Writes the header of a GGUF file, version 3: the metadata, and where each tensor's data goes. The data
// itself is its maker's to put there.
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

// Names and keys must be unique and not empty.
class Writer {
 public:
  static constexpr std::uint64_t kDefaultAlignment = 32;

  // Tensor data will lie at multiples of `alignment`, a power of two from 8 to 2^20. One that is not the
  // format's default is written down as the key general.alignment.
  explicit Writer(std::uint32_t alignment = kDefaultAlignment);

  template <Number T>
  void add(std::string_view key, T value) {
    begin_key(key, value_type_of<T>());
    put(keys_, value);
  }
  void add(std::string_view key, std::string_view value);

  template <Number T>
  void add_array(std::string_view key, std::span<const T> values) {
    begin_array(key, value_type_of<T>(), values.size());
    put_numbers(keys_, values);
  }
  void add_array(std::string_view key, std::span<const std::string> values);

  // Gives a tensor the next `n_bytes` (at least 1) of the data section and returns its number, from 0.
  // dims[0] is the contiguous one; there are 1 to 4. `type` is the ggml type id.
  std::size_t add_tensor(std::string_view name, std::span<const std::uint64_t> dims, std::uint32_t type,
                         std::uint64_t n_bytes);

  // Everything before the first tensor's data, padding included.
  std::vector<std::byte> header() const;
  // Of a tensor's first byte, from the start of the file; it moves when keys or tensors are added.
  std::uint64_t data_offset(std::size_t tensor) const { return header_size() + offsets_[tensor]; }
  // Of the whole file, the last tensor padded like the others.
  std::uint64_t file_size() const { return header_size() + data_size_; }

 private:
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
  void begin_key(std::string_view key, ValueType type);
  void begin_array(std::string_view key, ValueType element_type, std::uint64_t count);
  std::uint64_t aligned(std::uint64_t n) const { return (n + alignment_ - 1) / alignment_ * alignment_; }
  std::uint64_t header_size() const;

  std::uint64_t alignment_;
  std::uint64_t n_keys_ = 0;
  std::vector<std::byte> keys_;         // as they stand in the file
  std::vector<std::byte> tensors_;      // likewise
  std::vector<std::uint64_t> offsets_;  // of each tensor, from the start of the data section
  std::uint64_t data_size_ = 0;
};

}  // namespace bitnet::gguf
