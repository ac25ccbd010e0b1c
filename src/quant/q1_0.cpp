#include "quant/q1_0.h"

#include <cstring>

namespace bitnet::quant::q1_0 {
namespace {

void read_codes(const std::byte* block, std::uint32_t* words) { std::memcpy(words, block + 2, 16); }

void write_codes(const std::uint32_t* words, std::byte* block) { std::memcpy(block + 2, words, 16); }

}  // namespace

const CodedType kType{.codebook = Codebook::binary,
                      .n_codes = 2,
                      .block = 128,
                      .block_bytes = 18,
                      .scale_at = 0,
                      .read_codes = read_codes,
                      .write_codes = write_codes};

}  // namespace bitnet::quant::q1_0
