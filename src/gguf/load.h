// Reading little-endian numbers that lie at any address.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace bitnet::gguf {

static_assert(std::endian::native == std::endian::little, "GGUF is little-endian and is read in place");

template <typename T>
T load(const std::byte* at) {
  static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>, "a byte other than 0 and 1 is no bool");
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The GGUF string at `at`, already checked: a u64 length, then that many bytes.
inline std::string_view load_string(const std::byte* at) {
  const auto length = static_cast<std::size_t>(load<std::uint64_t>(at));
  return {reinterpret_cast<const char*>(at + sizeof(std::uint64_t)), length};
}

}  // namespace bitnet::gguf
