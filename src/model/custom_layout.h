// Tensors in layouts of our own: QK256 (quant/qk256.h) and BitNet32-F16 (quant/bitnet32.h). Their bytes
// cannot be told from those of other formats, so they are only read where the metadata names them:
//
//   bitnet.qk256.tensors     array of strings: the tensors' names
//   bitnet.qk256.columns     array of integers, one for each of them: the values of a row, a multiple of 32
//   bitnet.qk256.codebook    string, what the codes 0 to 3 stand for: "ternary" (-1, 0, +1, none),
//                            "four_level" (-2, -1, +1, +2) or "thirds" (-1, -1/3, +1/3, +1)
//   bitnet.qk256.scales      string: "none", or "block": an f16 scale behind the codes of each block
//   bitnet.bitnet32.tensors, bitnet.bitnet32.columns    likewise
//
// All keys of a layout are there or none. In the file such a tensor is of ggml's type I8 (24), its dimensions
// the bytes of a row and the rows.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "gguf/gguf.h"
#include "gguf/key_values.h"
#include "quant/tensor_type.h"

namespace bitnet {

struct CustomLayout {
  quant::TensorType type = quant::TensorType::f32;
  std::uint64_t cols = 0;
};

using CustomLayouts = std::map<const gguf::Tensor*, CustomLayout>;

bool is_custom_layout_key(std::string_view key);

// Tensors in layouts of our own that a file is to have.
struct CustomTensor {
  std::string name;
  CustomLayout layout;
};
// Makes the keys say just this: those of other tensors go, and without tensors all do. False, and nothing is
// changed, where two of them are QK256 with different codebooks or scales, which one file cannot say.
bool set_custom_layout_keys(std::span<const CustomTensor> tensors, gguf::KeyValues& keys);
// Of ggml's type I8, as which such a tensor is stored.
inline constexpr std::uint32_t kCustomTypeId = 24;

// Throws ModelError, which names the key, where one is missing, unknown or wrong, or contradicts the tensors.
CustomLayouts read_custom_layouts(const gguf::File& file);

}  // namespace bitnet
