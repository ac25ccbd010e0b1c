// Models as small as ternary rows allow: most of a file is then its header.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/target.h"
#include "support/block_types.h"
#include "support/row_scaled_types.h"
#include "support/small_model.h"

namespace bitnet::fuzz {

inline constexpr test::SmallShape kTiny{
    .layers = 1, .hidden = 128, .heads = 2, .kv_heads = 1, .ffn = 128, .vocab = 6};
// Rows of one block of 256, for the types that come in such.
inline constexpr test::SmallShape kWide{
    .layers = 1, .hidden = 256, .heads = 2, .kv_heads = 1, .ffn = 256, .vocab = 6};

inline std::string file_of(const test::SmallModel& model) { return text_of(model.to_gguf().build()); }

// A model whose layers have matrices of this type.
inline std::string file_with_blocks(std::uint32_t type) {
  test::SmallModel model("llama", kWide);
  for (test::SmallTensor& tensor : model.tensors()) {
    if (tensor.type != test::kI2S) continue;
    tensor.type = type;
    tensor.data = test::random_blocks(type, tensor.n_elements(), 1).bytes;
  }
  return file_of(model);
}

// The same in one whose rows have a scale each; all the same one, or not.
inline std::string file_with_row_scales(std::uint32_t type, bool all_same) {
  test::SmallModel model("llama", kTiny);
  for (test::SmallTensor& tensor : model.tensors()) {
    if (tensor.type != test::kI2S) continue;
    std::vector<std::int8_t> trits(tensor.n_elements());
    for (std::size_t i = 0; i < trits.size(); ++i)
      trits[i] = static_cast<std::int8_t>(static_cast<int>(i * 7 % 3) - 1);
    std::vector<float> scales(tensor.dims[1], 0.5F);
    for (std::size_t r = 1; r < scales.size() && !all_same; r += 2) scales[r] = 0.25F;
    tensor.type = type;
    tensor.data = test::pack_row_scaled(type, trits, scales);
  }
  return file_of(model);
}

}  // namespace bitnet::fuzz
