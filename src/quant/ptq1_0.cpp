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

}  // namespace

const CodedType kType{
    .codebook = Codebook::ternary, .block = 128, .block_bytes = 28, .scale_at = 26, .read_codes = read_codes};

}  // namespace bitnet::quant::ptq1_0
