// What is converted: metadata and tensors, wherever they come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/model.h"
#include "gguf/key_values.h"
#include "quant/tensor_type.h"

namespace bitnet::quant {
struct CodedRow;
}

namespace bitnet::convert {

enum class TensorRole : std::uint8_t {
  layer_matrix,  // multiplied in a layer, and ternary in these models
  embedding,     // token_embd.weight, which may serve as the head too
  head,          // output.weight
  factor,        // STEM.scale: one number, which multiplies the products of STEM.weight
  other,         // norms, routers and what else is copied
};

struct SourceTensor {
  std::string name;                 // in GGUF
  std::vector<std::uint64_t> dims;  // of values, the contiguous one first; 1 to 4
  std::string origin;               // for messages: its type there
  // What it is kept in unless another type is asked for: its own, or I2_S for ternary codes and F32, F16 or
  // BF16 for floats that no GGUF file holds yet.
  quant::TensorType type = quant::TensorType::f32;
  TensorRole role = TensorRole::other;
  // Masters, of which the model uses the rounding by absmean: the values are those before it, the type I2_S.
  bool is_master = false;
  // What multiplies the products beside the values' own scales, and which of the tensors says so.
  float factor = 1.0F;
  std::optional<std::size_t> factor_tensor{};

  std::uint64_t cols() const { return dims[0]; }
  std::uint64_t rows() const {
    std::uint64_t n = 1;
    for (std::size_t i = 1; i < dims.size(); ++i) n *= dims[i];
    return n;
  }
};

// In each group of `group` rows those that are `step` apart lie in the same bytes.
struct SharedRows {
  std::uint64_t group = 1;
  std::uint64_t step = 1;
};

// STEM.weight, and beside it STEM.scale, its factor.
inline constexpr std::string_view kWeightEnding = ".weight";
inline constexpr std::string_view kFactorEnding = ".scale";

// A change to what a source says, where it is known to be wrong.
struct Repair {
  std::string topic;            // "pre-tokenizer"
  std::string what;             // was wrong, and what it is made to be
  bool changes_values = false;  // of tensors
};

struct SourceOptions {
  bool repairs = true;      // what is known to be wrong is put right
  bool needs_model = true;  // a file that is no model of a known family is refused: else it has no roles
  bool absmean = false;     // weights that no converter has rounded yet may be: the plan does it
  std::optional<HiddenAct> hidden_act{};  // is written down in the keys
  std::optional<I2sLayout> i2s_layout{};  // of a file's I2_S tensors; none: by what the file shows
};

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  virtual const std::string& name() const = 0;  // for messages
  // The file that the engine can run, or the first of its parts; empty: it is none.
  virtual std::string runnable_file() const { return {}; }
  // Every file that is read, none of which may be written over.
  virtual std::vector<std::string> files() const = 0;

  virtual gguf::KeyValues keys() const = 0;         // of one GGUF file
  virtual std::uint64_t alignment() const = 0;      // of its tensors' data, as the keys say
  virtual std::vector<Repair> repairs() const = 0;  // that keys and tensors have been through

  // As they shall lie in the file.
  virtual std::span<const SourceTensor> tensors() const = 0;

  // Whether I2_S tensors that are copied as they are stored have another layout than that of x86, which is
  // the one that is written.
  virtual bool has_foreign_i2s() const { return false; }

  // Which rows had best be read together; it changes no result.
  virtual SharedRows shared_rows(std::size_t tensor) const {
    const std::uint64_t rows = tensors()[tensor].rows();
    return {.group = rows, .step = rows};
  }

  // The following may be called from several threads at once, and throw nothing.

  // Brings rows [begin, end) in and looks them through: what is wrong with them ("element 7 holds the code
  // 3, ..."), or nothing. Only rows that passed are read.
  virtual std::optional<std::string> check(std::size_t tensor, std::uint64_t begin,
                                           std::uint64_t end) const = 0;
  // A tensor's bytes as its type has them (quant::TypeInfo::n_bytes), where they lie so; else empty.
  virtual std::span<const std::byte> stored(std::size_t tensor) const = 0;
  // The codes and scales of a row; false where the tensor has none, but floats. The factor is not in them.
  virtual bool read_coded(std::size_t tensor, std::uint64_t row, quant::CodedRow& out) const = 0;
  // The values of a row, exactly, without the factor: [cols].
  virtual void read_values(std::size_t tensor, std::uint64_t row, float* out) const = 0;
  // Rows [begin, end) won't be read again soon.
  virtual void give_back(std::size_t tensor, std::uint64_t begin, std::uint64_t end) const = 0;
};

}  // namespace bitnet::convert
