#include "quant/tensor_type.h"

#include <array>

#include "quant/block_format.h"
#include "quant/float_types.h"
#include "quant/i2_s.h"
#include "quant/i8_rows.h"
#include "quant/q4_0.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"

namespace bitnet::quant {
namespace {

constexpr std::string_view kDamaged = "the file is damaged: download it again";
constexpr std::string_view kBadScale = "has a scale that is not a finite number";
constexpr DataCheck kTernaryCodes{i2_s::find_bad_code, "element",
                                  "holds the code 3, which stands for nothing",
                                  "the file is damaged, or holds another format: bitnet inspect says more"};

// A type made of blocks, each with a scale of its own.
template <typename Block>
constexpr TypeInfo block_type(TensorType type, std::uint32_t id, std::string_view name,
                              decltype(TypeInfo::decode_row) decode_row) {
  return {type,
          id,
          name,
          Block::kElements,
          alignof(Block),
          false,
          n_bytes_of<Block>,
          no_tensor_scale,
          decode_row,
          {find_bad_scale<Block>, "block", kBadScale, kDamaged}};
}

// In the order of TensorType.
constexpr std::array kTypes{
    TypeInfo{TensorType::f32, 0, "F32", 1, 4, false, f32::n_bytes, no_tensor_scale, f32::decode_row, {}},
    TypeInfo{TensorType::f16, 1, "F16", 1, 2, false, f16::n_bytes, no_tensor_scale, f16::decode_row, {}},
    TypeInfo{TensorType::bf16, 30, "BF16", 1, 2, false, bf16::n_bytes, no_tensor_scale, bf16::decode_row, {}},
    block_type<q8_0::Block>(TensorType::q8_0, 8, "Q8_0", q8_0::decode_row),
    block_type<q6_k::Block>(TensorType::q6_k, 14, "Q6_K", q6_k::decode_row),
    block_type<q4_0::Block>(TensorType::q4_0, 2, "Q4_0", q4_0::decode_row),
    TypeInfo{TensorType::i2_s, 36, "I2_S", i2_s::kGroup, 1, true, i2_s::n_bytes, i2_s::tensor_scale,
             i2_s::decode_row, kTernaryCodes},
    TypeInfo{TensorType::i8_rows,
             kNoFileId,
             "int8",
             1,
             4,
             false,
             i8_rows::n_bytes,
             no_tensor_scale,
             i8_rows::decode_row,
             {}},
};

struct RefusedType {
  std::uint32_t id;
  std::string_view name;
  std::string_view advice;
};

constexpr std::string_view kRequantize = "requantize the model to I2_S, or F16 where it is not ternary";
constexpr std::string_view kReconvert = "convert the original weights to I2_S";

// https://github.com/ggml-org/ggml/blob/master/include/ggml.h (enum ggml_type), and Microsoft's fork for
// 36-39.
constexpr std::array kRefused{
    RefusedType{3, "Q4_1", kRequantize},
    RefusedType{6, "Q5_0", kRequantize},
    RefusedType{7, "Q5_1", kRequantize},
    RefusedType{9, "Q8_1", kRequantize},
    RefusedType{10, "Q2_K", kRequantize},
    RefusedType{11, "Q3_K", kRequantize},
    RefusedType{12, "Q4_K", kRequantize},
    RefusedType{13, "Q5_K", kRequantize},
    RefusedType{15, "Q8_K", kRequantize},
    RefusedType{34, "TQ1_0", kReconvert},
    RefusedType{35, "TQ2_0", kReconvert},
    RefusedType{37, "I8_S", kReconvert},
    RefusedType{38, "TL1 (Microsoft's, made for one ARM processor)", kReconvert},
    RefusedType{39, "TL2 (Microsoft's, made for one processor) or MXFP4", kReconvert},
    RefusedType{41, "Q1_0", kReconvert},
    RefusedType{42, "Q2_0", kReconvert},
};

}  // namespace

const TypeInfo& info(TensorType type) { return kTypes[static_cast<std::size_t>(type)]; }

const TypeInfo* find_type(std::uint32_t ggml_id) {
  for (const TypeInfo& t : kTypes) {
    if (t.id == ggml_id && t.id != kNoFileId) return &t;
  }
  return nullptr;
}

std::string describe_refused_type(std::uint32_t ggml_id) {
  const std::string id = std::to_string(ggml_id);
  for (const RefusedType& t : kRefused) {
    if (t.id == ggml_id)
      return "type " + id + ", " + std::string(t.name) + ", is not read; " + std::string(t.advice);
  }
  std::string read;
  for (const TypeInfo& t : kTypes) {
    if (t.id != kNoFileId) read += (read.empty() ? "" : ", ") + std::string(t.name);
  }
  return "type " + id + " is unknown; this program reads " + read;
}

}  // namespace bitnet::quant
