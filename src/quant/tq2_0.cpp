#include "quant/tq2_0.h"

#include <array>
#include <cstring>

namespace bitnet::quant::tq2_0 {
namespace {

constexpr std::size_t kHalfBytes = 32;

// The lowest 2 bits of each of eight bytes, in sequence.
std::uint16_t gather(std::uint64_t bytes) {
  bytes &= 0x0303030303030303;
  bytes |= bytes >> 6;
  bytes &= 0x000F000F000F000F;
  bytes |= bytes >> 12;
  return static_cast<std::uint16_t>((bytes & 0xFF) | (bytes >> 24 & 0xFF00));
}

void read_codes(const std::byte* block, std::uint32_t* words) {
  for (std::size_t half = 0; half < 2; ++half) {
    std::array<std::uint64_t, kHalfBytes / 8> bytes;
    std::memcpy(bytes.data(), block + half * kHalfBytes, kHalfBytes);
    std::array<std::uint16_t, 16> out;
    for (unsigned l = 0; l < 4; ++l) {
      for (std::size_t i = 0; i < bytes.size(); ++i) out[l * bytes.size() + i] = gather(bytes[i] >> (2 * l));
    }
    std::memcpy(words + 8 * half, out.data(), sizeof out);
  }
}

}  // namespace

const CodedType kType{
    .codebook = Codebook::ternary, .block = 256, .block_bytes = 66, .scale_at = 64, .read_codes = read_codes};

}  // namespace bitnet::quant::tq2_0
