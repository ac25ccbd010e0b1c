#include "quant/tq1_0.h"

#include <array>
#include <cstring>

#include "quant/base3.h"

namespace bitnet::quant::tq1_0 {
namespace {

void read_codes(const std::byte* block, std::uint32_t* words) {
  std::array<std::uint16_t, 30> halves;
  base3::read<32, 5>(block, halves.data());
  base3::read<16, 5>(block + 32, halves.data() + 20);
  std::memcpy(words, halves.data(), sizeof halves);
  words[15] = base3::read_rest<4>(block + 48);
}

void write_codes(const std::uint32_t* words, std::byte* block) {
  std::array<std::uint16_t, 30> halves;
  std::memcpy(halves.data(), words, sizeof halves);
  base3::write<32>(halves.data(), block);
  base3::write<16>(halves.data() + 20, block + 32);
  base3::write_rest<4>(words[15], block + 48);
}

}  // namespace

const CodedType kType{.codebook = Codebook::ternary,
                      .n_codes = 3,
                      .block = 256,
                      .block_bytes = 54,
                      .scale_at = 52,
                      .read_codes = read_codes,
                      .write_codes = write_codes};

}  // namespace bitnet::quant::tq1_0
