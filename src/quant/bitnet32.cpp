#include "quant/bitnet32.h"

#include <cstring>

namespace bitnet::quant::bitnet32 {
namespace {

constexpr std::size_t kCodeBytes = 8;

void read_codes(const std::byte* block, std::uint32_t* words) { std::memcpy(words, block, kCodeBytes); }
void write_codes(const std::uint32_t* words, std::byte* block) { std::memcpy(block, words, kCodeBytes); }

}  // namespace

const CodedType kType{.codebook = Codebook::ternary,
                      .n_codes = 3,
                      .block = 32,
                      .block_bytes = kCodeBytes + 2,
                      .scale_at = kCodeBytes,
                      .read_codes = read_codes,
                      .write_codes = write_codes};

}  // namespace bitnet::quant::bitnet32
