// Which tensor becomes what, decided before anything is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "convert/source.h"
#include "gguf/key_values.h"
#include "quant/tensor_type.h"

namespace bitnet::convert {

struct PlanOptions {
  std::optional<quant::TensorType> type{};       // of the layers' matrices; none: as they are
  std::optional<quant::TensorType> head{};       // of output.weight
  std::optional<quant::TensorType> embedding{};  // of token_embd.weight; tied, head says it too
  bool absmean = false;  // what a ternary type cannot hold is rounded to one scale a tensor
};

// How a tensor's data come to be.
enum class Way : std::uint8_t {
  copy,     // the bytes as they are stored
  codes,    // codes and scales go over, without rounding of values
  rounded,  // values are rounded to codes by absmean
  values,   // values are rounded to a type of floats
  factor,   // the one number that multiplies another tensor's products
};

struct TensorPlan {
  std::string name;
  std::size_t source = 0;  // in Source::tensors(); of a factor that is new: of the tensor that it multiplies
  Way way = Way::copy;
  quant::TensorType type = quant::TensorType::f32;
  std::vector<std::uint64_t> dims;  // of values, the contiguous one first

  // What the source's scales, or values, are multiplied by on the way; in unit rows every scale is 1 instead.
  float row_factor = 1.0F;
  bool in_units = false;
  // What multiplies the codes of the whole tensor: the scale of I2_S, or the factor beside it.
  float scale = 1.0F;
  float absmean = 0;  // of Way::rounded: the scale

  // What multiplies the products of the values as they are stored, there and here.
  float source_factor = 1.0F;
  float factor = 1.0F;  // of Way::factor: itself
  // The values must come out as they were. Otherwise it is measured by how much they differ.
  bool is_lossless = false;

  std::uint64_t cols() const { return dims[0]; }
  std::uint64_t rows() const;
  std::uint64_t n_bytes() const { return quant::info(type).n_bytes(rows(), cols()); }
};

struct Plan {
  gguf::KeyValues keys;  // of one file; parts have others beside
  std::uint64_t alignment = 32;
  std::vector<TensorPlan> tensors;    // as they shall lie in the file
  std::vector<std::string> warnings;  // what will be lost, and why

  std::uint64_t n_bytes() const;  // of all tensors
};

// Asked now and then; false ends the work with a RuntimeError.
using KeepGoing = std::function<bool()>;

// Where that cannot be known otherwise, tensors are read through for it. Throws ModelError for what a type
// cannot hold, UsageError for what contradicts itself.
Plan make_plan(const Source& source, const PlanOptions& options, ThreadPool& pool,
               const KeepGoing& keep_going);

// What to do where its type does not hold the values.
std::string advice_for(const TensorPlan& plan);
// For messages: "FILE: tensor NAME (I2_S): ".
[[noreturn]] void refuse_tensor(const Source& source, std::size_t tensor, const std::string& what,
                                const std::string& hint = {});

}  // namespace bitnet::convert
