#include "quant/tensor_type.h"

#include <array>

#include "quant/bitnet32.h"
#include "quant/block_format.h"
#include "quant/float_types.h"
#include "quant/i2_s.h"
#include "quant/i8_rows.h"
#include "quant/iq4_nl.h"
#include "quant/ptq1_0.h"
#include "quant/q1_0.h"
#include "quant/q2_0.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "quant/qk256.h"
#include "quant/tq1_0.h"
#include "quant/tq2_0.h"

namespace bitnet::quant {
namespace {

constexpr std::string_view kDamaged = "the file is damaged: download it again";
constexpr std::string_view kBadScale = "has a scale that is not a finite number";
constexpr std::string_view kNotFinite = "is not a finite number";
constexpr std::string_view kBadCodeOrScale =
    "holds the code 3, which stands for nothing, or a scale that is not finite";
constexpr DataCheck kTernaryCodes{i2_s::find_bad_code, "element",
                                  "holds the code 3, which stands for nothing",
                                  "the file is damaged, or holds another format: bitnet inspect says more"};

// A type made of blocks, each with a scale of its own; some are read only.
template <typename Block>
constexpr TypeInfo block_type(TensorType type, std::uint32_t id, std::string_view name,
                              decltype(TypeInfo::decode_row) decode_row,
                              decltype(TypeInfo::encode_row) encode_row = nullptr) {
  return {type,
          id,
          name,
          Block::kElements,
          alignof(Block),
          false,
          n_bytes_of<Block>,
          no_tensor_scale,
          decode_row,
          {find_bad_scale<Block>, "block", kBadScale, kDamaged},
          nullptr,
          encode_row};
}

// Types that are multiplied as lanes.
template <const CodedType& type>
std::uint64_t n_bytes_of_coded(std::uint64_t rows, std::uint64_t cols) {
  return rows * type.row_bytes(cols);
}

constexpr DataCheck kCodedScales{find_bad_coded_scale, "block", kBadScale, kDamaged};

template <const CodedType& type>
constexpr TypeInfo coded_type(TensorType of, std::uint32_t id, std::string_view name, std::size_t block,
                              const DataCheck& check = kCodedScales) {
  return {of,    id,   name, block, 1, false, n_bytes_of_coded<type>, no_tensor_scale, decode_coded_row,
          check, &type};
}

template <const RowScaledType& type>
std::uint64_t n_bytes_of_row_scaled(std::uint64_t rows, std::uint64_t cols) {
  return rows * type.row_bytes(cols);
}

template <const RowScaledType& type>
constexpr TypeInfo row_scaled_type(TensorType of, std::uint32_t id, std::string_view name) {
  constexpr DataCheck kCheck{find_bad_scaled_row, "row", kBadCodeOrScale, kDamaged};
  return {of,
          id,
          name,
          RowScaledType::kBlock,
          1,
          false,
          n_bytes_of_row_scaled<type>,
          no_tensor_scale,
          decode_row_scaled,
          kCheck,
          nullptr,
          nullptr,
          &type};
}

// Those of our own metadata, which take rows that end within a block.
constexpr std::size_t kColumns = 32;
constexpr DataCheck kCodesAndScales{find_bad_coded_block, "block", kBadCodeOrScale, kDamaged};

// Lanes have no size or scale of their own: Matrix::lanes tells.
std::uint64_t no_bytes(std::uint64_t /*rows*/, std::uint64_t /*cols*/) { return 0; }

// In the order of TensorType.
constexpr std::array kTypes{
    TypeInfo{TensorType::f32,
             0,
             "F32",
             1,
             4,
             false,
             f32::n_bytes,
             no_tensor_scale,
             f32::decode_row,
             {f32::find_non_finite, "value", kNotFinite, kDamaged},
             nullptr,
             f32::encode_row},
    TypeInfo{TensorType::f16,
             1,
             "F16",
             1,
             2,
             false,
             f16::n_bytes,
             no_tensor_scale,
             f16::decode_row,
             {f16::find_non_finite, "value", kNotFinite, kDamaged},
             nullptr,
             f16::encode_row},
    TypeInfo{TensorType::bf16,
             30,
             "BF16",
             1,
             2,
             false,
             bf16::n_bytes,
             no_tensor_scale,
             bf16::decode_row,
             {bf16::find_non_finite, "value", kNotFinite, kDamaged},
             nullptr,
             bf16::encode_row},
    block_type<q8_0::Block>(TensorType::q8_0, 8, "Q8_0", q8_0::decode_row, q8_0::encode_row),
    block_type<q6_k::Block>(TensorType::q6_k, 14, "Q6_K", q6_k::decode_row, q6_k::encode_row),
    block_type<q5_k::Block>(TensorType::q5_k, 13, "Q5_K", q5_k::decode_row),
    block_type<q4_k::Block>(TensorType::q4_k, 12, "Q4_K", q4_k::decode_row),
    block_type<q3_k::Block>(TensorType::q3_k, 11, "Q3_K", q3_k::decode_row),
    block_type<q2_k::Block>(TensorType::q2_k, 10, "Q2_K", q2_k::decode_row),
    block_type<q5_1::Block>(TensorType::q5_1, 7, "Q5_1", q5_1::decode_row),
    block_type<q5_0::Block>(TensorType::q5_0, 6, "Q5_0", q5_0::decode_row),
    block_type<q4_1::Block>(TensorType::q4_1, 3, "Q4_1", q4_1::decode_row),
    block_type<q4_0::Block>(TensorType::q4_0, 2, "Q4_0", q4_0::decode_row, q4_0::encode_row),
    block_type<iq4_nl::Block>(TensorType::iq4_nl, 20, "IQ4_NL", iq4_nl::decode_row),
    TypeInfo{TensorType::i2_s, 36, "I2_S", i2_s::kGroup, 1, true, i2_s::n_bytes, i2_s::tensor_scale,
             i2_s::decode_row, kTernaryCodes},
    coded_type<q2_0::kBlocksOf64>(TensorType::q2_0_64, 42, "Q2_0", 64),
    coded_type<q2_0::kBlocksOf128>(TensorType::q2_0_128, 42, "Q2_0 (128)", 128),
    coded_type<q2_0::kBlocksOf128>(TensorType::pq2_0, 142, "PQ2_0", 128),
    coded_type<tq1_0::kType>(TensorType::tq1_0, 34, "TQ1_0", 256),
    coded_type<tq2_0::kType>(TensorType::tq2_0, 35, "TQ2_0", 256),
    coded_type<ptq1_0::kType>(TensorType::ptq1_0, 143, "PTQ1_0", 128),
    coded_type<q1_0::kType>(TensorType::q1_0, 41, "Q1_0", 128),
    row_scaled_type<kIq2Bn>(TensorType::iq2_bn, 135, "IQ2_BN"),
    row_scaled_type<kIq2BnR4>(TensorType::iq2_bn_r4, 335, "IQ2_BN_R4"),
    row_scaled_type<kIq1Bn>(TensorType::iq1_bn, 134, "IQ1_BN"),
    coded_type<qk256::kTernary>(TensorType::qk256_ternary, kNoFileId, "QK256 (ternary)", kColumns,
                                kCodesAndScales),
    coded_type<qk256::kFourLevel>(TensorType::qk256_four_level, kNoFileId, "QK256 (four_level)", kColumns),
    coded_type<qk256::kThirds>(TensorType::qk256_thirds, kNoFileId, "QK256 (thirds)", kColumns),
    coded_type<qk256::kScaledTernary>(TensorType::qk256_scaled_ternary, kNoFileId, "QK256 (ternary, scales)",
                                      kColumns, kCodesAndScales),
    coded_type<qk256::kScaledFourLevel>(TensorType::qk256_scaled_four_level, kNoFileId,
                                        "QK256 (four_level, scales)", kColumns),
    coded_type<qk256::kScaledThirds>(TensorType::qk256_scaled_thirds, kNoFileId, "QK256 (thirds, scales)",
                                     kColumns),
    coded_type<bitnet32::kType>(TensorType::bitnet32, kNoFileId, "BitNet32", kColumns, kCodesAndScales),
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

}  // namespace

const TypeInfo& info(TensorType type) { return kTypes[static_cast<std::size_t>(type)]; }

std::uint64_t n_bytes_of(const Matrix& w) {
  return w.type == TensorType::lanes ? lanes::n_bytes(w) : info(w.type).n_bytes(w.rows, w.cols);
}

bool takes_int8(TensorType type) { return info(type).ternary || type == TensorType::lanes; }

std::span<const TypeInfo> all_types() { return kTypes; }

}  // namespace bitnet::quant
