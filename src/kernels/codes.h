// What the decoders of codes share.
#pragma once

#include <cstdint>
#include <cstring>

namespace bitnet::kernels {

// Values of the codes of ternary types. 3 never occurs: files that hold it are refused.
alignas(16) inline constexpr float kTernaryCodebook[4] = {-1.0F, 0.0F, 1.0F, 2.0F};

// Four bytes as they lie. static: files built for different instruction sets include this.
static inline std::int32_t load_4_bytes(const std::uint8_t* p) {
  std::int32_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

}  // namespace bitnet::kernels
