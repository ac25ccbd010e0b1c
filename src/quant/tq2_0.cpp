#include "quant/tq2_0.h"

#include "quant/pairs.h"

namespace bitnet::quant::tq2_0 {
namespace {

constexpr std::size_t kHalfBytes = 32;
constexpr std::size_t kHalfWords = 8;

void read_codes(const std::byte* block, std::uint32_t* words) {
  for (std::size_t half = 0; half < 2; ++half) {
    read_pairs<PairOrder::lowest_first>(block + half * kHalfBytes, words + half * kHalfWords);
  }
}

void write_codes(const std::uint32_t* words, std::byte* block) {
  for (std::size_t half = 0; half < 2; ++half) {
    write_pairs<PairOrder::lowest_first>(words + half * kHalfWords, block + half * kHalfBytes);
  }
}

}  // namespace

const CodedType kType{.codebook = Codebook::ternary,
                      .n_codes = 4,
                      .block = 256,
                      .block_bytes = 66,
                      .scale_at = 64,
                      .read_codes = read_codes,
                      .write_codes = write_codes};

}  // namespace bitnet::quant::tq2_0
