#include "quant/tensor_type.h"

#include <algorithm>
#include <array>

#include "quant/block_format.h"
#include "quant/float_types.h"
#include "quant/i2_s.h"
#include "quant/i8_rows.h"
#include "quant/q2_0.h"
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

// Types that are multiplied as lanes.
template <const CodedType& type>
std::uint64_t n_bytes_of_coded(std::uint64_t rows, std::uint64_t cols) {
  return rows * type.row_bytes(cols);
}

template <const CodedType& type>
constexpr TypeInfo coded_type(TensorType of, std::uint32_t id, std::string_view name, std::size_t block) {
  return {of,
          id,
          name,
          block,
          1,
          false,
          n_bytes_of_coded<type>,
          no_tensor_scale,
          decode_coded_row,
          {find_bad_coded_scale, "block", kBadScale, kDamaged},
          &type};
}

// Lanes have no size or scale of their own: Matrix::lanes tells.
std::uint64_t no_bytes(std::uint64_t /*rows*/, std::uint64_t /*cols*/) { return 0; }

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
    coded_type<q2_0::kBlocksOf64>(TensorType::q2_0_64, 42, "Q2_0", 64),
    coded_type<q2_0::kBlocksOf128>(TensorType::q2_0_128, 42, "Q2_0", 128),
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
    TypeInfo{TensorType::lanes,
             kNoFileId,
             "lanes",
             32,
             64,
             false,
             no_bytes,
             no_tensor_scale,
             lanes::decode_row,
             {}},
};

struct RefusedType {
  std::uint32_t id;
  std::string_view name;
  std::uint32_t block;  // elements of a block, and its bytes; 0 where a tensor is no sequence of them
  std::uint32_t block_bytes;
  std::string_view remark = {};
  std::string_view advice = "requantize the model to I2_S, or F16 where it is not ternary";
};

constexpr std::string_view kReconvert = "convert the original weights to I2_S";
constexpr std::string_view kRepacked = "made for one processor, and withdrawn";

// https://github.com/ggml-org/ggml/blob/master/include/ggml.h (enum ggml_type) and its ggml-common.h (the
// blocks), Microsoft's fork for 36-39, Prism's for 142 and 143. Of an id that stands for several formats each
// has a row.
constexpr std::array kRefused{
    RefusedType{3, "Q4_1", 32, 20},
    RefusedType{4, "Q4_2", 16, 10, "withdrawn"},
    RefusedType{5, "Q4_3", 16, 12, "withdrawn"},
    RefusedType{6, "Q5_0", 32, 22},
    RefusedType{7, "Q5_1", 32, 24},
    RefusedType{9, "Q8_1", 32, 36},
    RefusedType{10, "Q2_K", 256, 84},
    RefusedType{11, "Q3_K", 256, 110},
    RefusedType{12, "Q4_K", 256, 144},
    RefusedType{13, "Q5_K", 256, 176},
    RefusedType{15, "Q8_K", 256, 292},
    RefusedType{16, "IQ2_XXS", 256, 66},
    RefusedType{17, "IQ2_XS", 256, 74},
    RefusedType{18, "IQ3_XXS", 256, 98},
    RefusedType{19, "IQ1_S", 256, 50},
    RefusedType{20, "IQ4_NL", 32, 18},
    RefusedType{21, "IQ3_S", 256, 110},
    RefusedType{22, "IQ2_S", 256, 82},
    RefusedType{23, "IQ4_XS", 256, 136},
    RefusedType{24, "I8", 1, 1},
    RefusedType{25, "I16", 1, 2},
    RefusedType{26, "I32", 1, 4},
    RefusedType{27, "I64", 1, 8},
    RefusedType{28, "F64", 1, 8, {}, "convert it to F32"},
    RefusedType{29, "IQ1_M", 256, 56},
    RefusedType{31, "Q4_0_4_4", 32, 18, kRepacked},
    RefusedType{32, "Q4_0_4_8", 32, 18, kRepacked},
    RefusedType{33, "Q4_0_8_8", 32, 18, kRepacked},
    RefusedType{34, "TQ1_0", 256, 54, {}, kReconvert},
    RefusedType{35, "TQ2_0", 256, 66, {}, kReconvert},
    RefusedType{37, "I8_S", 1, 1, {}, kReconvert},
    RefusedType{38, "TL1", 0, 0, "Microsoft's, made for one ARM processor", kReconvert},
    RefusedType{39, "TL2", 0, 0, "Microsoft's, made for one processor, or MXFP4", kReconvert},
    RefusedType{39, "MXFP4", 32, 17, {}, kReconvert},
    RefusedType{40, "NVFP4", 64, 36},
    RefusedType{41, "Q1_0", 128, 18, {}, kReconvert},
    RefusedType{42, "Q2_0", 64, 18, {}, kReconvert},
    RefusedType{42, "Q2_0", 128, 34, {}, kReconvert},
    RefusedType{42, "Q2_0", 256, 42, {}, kReconvert},
    RefusedType{142, "PQ2_0", 128, 34, {}, kReconvert},
    RefusedType{143, "PTQ1_0", 128, 28, {}, kReconvert},
};

const RefusedType* find_refused(std::uint32_t id) {
  const auto found = std::ranges::find(kRefused, id, &RefusedType::id);
  return found == kRefused.end() ? nullptr : &*found;
}

}  // namespace

const TypeInfo& info(TensorType type) { return kTypes[static_cast<std::size_t>(type)]; }

std::uint64_t n_bytes_of(const Matrix& w) {
  return w.type == TensorType::lanes ? lanes::n_bytes(w) : info(w.type).n_bytes(w.rows, w.cols);
}

bool takes_int8(TensorType type) { return info(type).ternary || type == TensorType::lanes; }

const TypeInfo* find_type(std::uint32_t ggml_id) {
  for (const TypeInfo& t : kTypes) {
    if (t.id == ggml_id && t.id != kNoFileId) return &t;
  }
  return nullptr;
}

std::string describe_refused_type(std::uint32_t ggml_id) {
  const std::string id = std::to_string(ggml_id);
  if (const RefusedType* t = find_refused(ggml_id)) {
    const std::string remark = t->remark.empty() ? "" : " (" + std::string(t->remark) + ")";
    return "type " + id + ", " + std::string(t->name) + remark + ", is not read; " + std::string(t->advice);
  }
  std::string read;
  for (const TypeInfo& t : kTypes) {
    if (t.id != kNoFileId) read += (read.empty() ? "" : ", ") + std::string(t.name);
  }
  return "type " + id + " is unknown; this program reads " + read;
}

std::string name_of_type(std::uint32_t ggml_id) {
  if (const TypeInfo* t = find_type(ggml_id)) return std::string(t->name);
  if (const RefusedType* t = find_refused(ggml_id)) return std::string(t->name);
  return "type " + std::to_string(ggml_id);
}

std::uint64_t n_bytes_of_type(std::uint32_t ggml_id, std::uint64_t rows, std::uint64_t cols,
                              std::uint64_t room) {
  if (const TypeInfo* t = find_type(ggml_id)) return t->n_bytes(rows, cols);
  // Of the formats that fit, the one that leaves the least room: what is left should be padding.
  std::uint64_t most = 0;
  for (const RefusedType& t : kRefused) {
    if (t.id != ggml_id || t.block == 0 || cols % t.block != 0) continue;
    const std::uint64_t n_blocks = rows * (cols / t.block);
    if (n_blocks <= room / t.block_bytes) most = std::max(most, n_blocks * t.block_bytes);
  }
  return most > 0 ? most : room;
}

}  // namespace bitnet::quant
