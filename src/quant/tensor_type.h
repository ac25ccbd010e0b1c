// The tensor types that can be read, each described by one table row. A new type adds a file with its blocks,
// a row here, and kernels if it is to be multiplied directly; nothing above this layer changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "quant/lanes.h"
#include "quant/row_scaled.h"

namespace bitnet::quant {

enum class TensorType : std::uint8_t {
  f32,
  f16,
  bf16,
  q8_0,
  q6_k,
  q5_k,
  q4_k,
  q3_k,
  q2_k,
  q5_1,
  q5_0,
  q4_1,
  q4_0,
  iq4_nl,
  i2_s,
  q2_0_64,
  q2_0_128,
  pq2_0,
  tq1_0,
  tq2_0,
  ptq1_0,
  q1_0,
  iq2_bn,
  iq2_bn_r4,
  iq1_bn,
  qk256_ternary,
  qk256_four_level,
  qk256_thirds,
  qk256_scaled_ternary,
  qk256_scaled_four_level,
  qk256_scaled_thirds,
  bitnet32,
  i8_rows,
  lanes
};

// Stands for the id of a type that no file holds.
inline constexpr std::uint32_t kNoFileId = 0xFFFFFFFF;

// A weight matrix as it lies in the file: y = W x with W of shape [rows, cols], cols contiguous.
struct Matrix {
  TensorType type = TensorType::f32;
  std::size_t rows = 0;
  std::size_t cols = 0;
  const std::byte* data = nullptr;
  float scale = 1.0F;  // multiplies every product; scales inside blocks come on top of it
  LaneCoding lanes{};  // of TensorType::lanes
};

// What can be wrong with data of a type whatever its shape, and how it is told: "block 7 has a scale that
// ...".
struct DataCheck {
  // The first faulty element or block of rows [begin, end), counted from the tensor's first. nullptr: every
  // bit pattern is sound.
  std::optional<std::size_t> (*find_fault)(const Matrix& w, std::size_t begin, std::size_t end) = nullptr;
  std::string_view unit = {};   // what is counted
  std::string_view fault = {};  // "holds the code 3, ..."
  std::string_view hint = {};
};

struct TypeInfo {
  TensorType type;
  std::uint32_t id;       // ggml type id in the file, or kNoFileId
  std::string_view name;  // "I2_S"
  std::size_t block;      // cols must be a multiple of this
  std::size_t alignment;  // that the kernels' loads of elements need
  bool ternary;           // I2_S: -1, 0, +1 times one scale, multiplied by int8 activations where it lies
  // Bytes of a tensor, trailing scales included. The element count is known not to overflow.
  std::uint64_t (*n_bytes)(std::uint64_t rows, std::uint64_t cols);
  // The scale stored for the whole tensor; 1 where there is none.
  float (*tensor_scale)(const std::byte* data, std::uint64_t rows, std::uint64_t cols);
  // Values of one row, scale included: the reference that kernels are tested against. out: [cols]
  void (*decode_row)(const Matrix& w, std::size_t row, float* out);
  DataCheck check;
  const CodedType* coded = nullptr;  // how its blocks are read, where it is multiplied as TensorType::lanes
  // Types that any floats are rounded to: one row of cols values, whole blocks of them. false, and nothing in
  // particular written, where a finite value would become infinite or a block has values that are not finite.
  // Types of codes hold what fits them: see quant/coded_row.h.
  bool (*encode_row)(const float* values, std::size_t cols, std::byte* out) = nullptr;
  const RowScaledType* row_scaled = nullptr;  // how its rows are read, where they have a scale each
};

const TypeInfo& info(TensorType type);
// Bytes of a matrix, in whatever type.
std::uint64_t n_bytes_of(const Matrix& w);
// Multiplied by activations rounded to int8, where these are.
bool takes_int8(TensorType type);
// Of two bits or less: nothing is gained by a copy in fewer bits, and none is made.
inline bool is_low_bit(TensorType type) {
  return takes_int8(type) || info(type).coded != nullptr || info(type).row_scaled != nullptr;
}
// In the order of TensorType.
std::span<const TypeInfo> all_types();

}  // namespace bitnet::quant
