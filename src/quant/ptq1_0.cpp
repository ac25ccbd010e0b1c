#include "quant/ptq1_0.h"

#include <array>
#include <cstring>

#include "quant/base3.h"

namespace bitnet::quant::ptq1_0 {
namespace {

void read_codes(const std::byte* block, std::uint32_t* words) {
  std::array<std::uint16_t, 16> halves;
  base3::read<16, 5>(block, halves.data());
  base3::read<8, 5>(block + 16, halves.data() + 10);
  halves[15] = static_cast<std::uint16_t>(base3::read_rest<2>(block + 24));
  std::memcpy(words, halves.data(), sizeof halves);
}

void write_codes(const std::uint32_t* words, std::byte* block) {
  std::array<std::uint16_t, 16> halves;
  std::memcpy(halves.data(), words, sizeof halves);
  base3::write<16>(halves.data(), block);
  base3::write<8>(halves.data() + 10, block + 16);
  base3::write_rest<2>(halves[15], block + 24);
}

}  // namespace

const CodedType kType{.codebook = Codebook::ternary,
                      .n_codes = 3,
                      .block = 128,
                      .block_bytes = 28,
                      .scale_at = 26,
                      .read_codes = read_codes,
                      .write_codes = write_codes};

}  // namespace bitnet::quant::ptq1_0
