// A number that stands for the bits of many logits.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace bitnet {

// 64-bit FNV-1a over the floats' bits, 32 at a time. Logits are the same bits on every machine, so one number
// can be compared anywhere. It finds accidents, not forgeries.
class LogitsDigest {
 public:
  void add(std::span<const float> logits) {
    for (const float value : logits) state_ = (state_ ^ std::bit_cast<std::uint32_t>(value)) * 0x100000001B3U;
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325U;
};

}  // namespace bitnet
