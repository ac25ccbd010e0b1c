#include "quant/q2_0.h"

#include <cstring>

namespace bitnet::quant::q2_0 {
namespace {

constexpr std::size_t kScaleBytes = 2;

// Four bytes in their order are a word in its own.
template <std::size_t kElements>
void read_codes(const std::byte* block, std::uint32_t* words) {
  std::memcpy(words, block + kScaleBytes, kElements / 4);
}

template <std::size_t kElements>
void write_codes(const std::uint32_t* words, std::byte* block) {
  std::memcpy(block + kScaleBytes, words, kElements / 4);
}

template <std::size_t kElements>
constexpr CodedType kType{.codebook = Codebook::ternary,
                          .n_codes = 4,
                          .block = kElements,
                          .block_bytes = kScaleBytes + kElements / 4,
                          .scale_at = 0,
                          .read_codes = read_codes<kElements>,
                          .write_codes = write_codes<kElements>};

}  // namespace

const CodedType kBlocksOf64 = kType<64>;
const CodedType kBlocksOf128 = kType<128>;

}  // namespace bitnet::quant::q2_0
