#include "convert/huggingface/float_rows.h"

#include <cassert>
#include <cstdint>
#include <cstring>

namespace bitnet::convert {
namespace {

// All bits of the exponent set.
template <typename Word>
bool is_non_finite(const std::byte* at, Word exponent) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return (word & exponent) == exponent;
}

template <typename Word>
std::optional<std::size_t> find(std::span<const std::byte> values, Word exponent) {
  const std::size_t n = values.size() / sizeof(Word);
  Word any = 0;  // as wide as what is compared: a loop that compilers turn into vectors
  for (std::size_t i = 0; i < n; ++i) {
    any = static_cast<Word>(any | Word{is_non_finite(values.data() + i * sizeof(Word), exponent)});
  }
  for (std::size_t i = 0; any != 0; ++i) {
    if (is_non_finite(values.data() + i * sizeof(Word), exponent)) return i;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::size_t> find_non_finite(quant::TensorType type, std::span<const std::byte> values) {
  switch (type) {
    case quant::TensorType::f32:
      return find<std::uint32_t>(values, 0x7F800000U);
    case quant::TensorType::f16:
      return find<std::uint16_t>(values, 0x7C00U);
    default:
      assert(type == quant::TensorType::bf16);
      return find<std::uint16_t>(values, 0x7F80U);
  }
}

}  // namespace bitnet::convert
