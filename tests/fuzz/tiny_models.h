// Models as small as ternary rows allow: most of a file is then its header.
#pragma once

#include <cstdint>
#include <string>

#include "fuzz/target.h"
#include "support/block_types.h"
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

}  // namespace bitnet::fuzz
