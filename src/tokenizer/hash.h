// Hashing for the tokenizer's tables, whose keys come from untrusted files: the seed differs from process to
// process, so that no file can be made to fill a table with collisions. Results never depend on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string_view>

namespace bitnet {

inline std::uint64_t hash_seed() {
  static const std::uint64_t seed = [] {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
  }();
  return seed;
}

// Both halves of the 128-bit product folded into one: every input bit reaches every output bit.
inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline constexpr std::uint64_t kHashMultiplier = 0x9E3779B97F4A7C15;  // 2^64 / the golden ratio, odd

inline std::uint64_t hash_of(std::uint64_t key, std::uint64_t seed) {
  return fold_multiply(key ^ seed, kHashMultiplier);
}

// At most 8 bytes as a number; of equally many bytes, different ones give different numbers. Written out
// because a call of memcpy for a length that the compiler doesn't know would cost more than all the rest of a
// search.
inline std::uint64_t word_of(std::string_view bytes) {
  const std::size_t n = bytes.size();
  const auto load = [&]<typename Word>(std::size_t at, Word word) {
    std::memcpy(&word, bytes.data() + at, sizeof word);
    return std::uint64_t{word};
  };
  if (n == 8) return load(0, std::uint64_t{});
  if (n >= 4) return load(0, std::uint32_t{}) | load(n - 4, std::uint32_t{}) << 32;
  if (n == 0) return 0;
  return load(0, std::uint8_t{}) | load(n / 2, std::uint8_t{}) << 8 | load(n - 1, std::uint8_t{}) << 16;
}

inline std::uint64_t hash_of(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t state = seed ^ bytes.size();
  for (; bytes.size() > 8; bytes.remove_prefix(8)) {
    state = fold_multiply(state ^ word_of(bytes.substr(0, 8)), kHashMultiplier);
  }
  return fold_multiply(fold_multiply(state ^ word_of(bytes), kHashMultiplier), kHashMultiplier);
}

}  // namespace bitnet
