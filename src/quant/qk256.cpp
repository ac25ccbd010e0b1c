#include "quant/qk256.h"

#include <cstring>

namespace bitnet::quant::qk256 {
namespace {

constexpr std::size_t kCodeBytes = 64;

void read_codes(const std::byte* block, std::uint32_t* words) { std::memcpy(words, block, kCodeBytes); }
void write_codes(const std::uint32_t* words, std::byte* block) { std::memcpy(block, words, kCodeBytes); }

constexpr CodedType plain(Codebook codebook) {
  return {.codebook = codebook,
          .n_codes = codebook == Codebook::ternary ? std::uint8_t{3} : std::uint8_t{4},
          .block = 256,
          .block_bytes = kCodeBytes,
          .scale_at = CodedType::kNoScale,
          .read_codes = read_codes,
          .write_codes = write_codes};
}

constexpr CodedType scaled(Codebook codebook) {
  CodedType type = plain(codebook);
  type.scale_at = kCodeBytes;
  type.block_bytes += 2;
  return type;
}

}  // namespace

const CodedType kTernary = plain(Codebook::ternary);
const CodedType kFourLevel = plain(Codebook::four_level);
const CodedType kThirds = plain(Codebook::thirds);
const CodedType kScaledTernary = scaled(Codebook::ternary);
const CodedType kScaledFourLevel = scaled(Codebook::four_level);
const CodedType kScaledThirds = scaled(Codebook::thirds);

}  // namespace bitnet::quant::qk256
