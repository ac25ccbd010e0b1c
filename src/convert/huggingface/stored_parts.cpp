#include "convert/huggingface/stored_parts.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/printable.h"
#include "bitnet/error.h"
#include "convert/huggingface/packed_rows.h"

namespace bitnet::convert {
namespace {

using quant::TensorType;

constexpr std::string_view kHead = "lm_head.weight";
constexpr std::string_view kEmbedding = "model.embed_tokens.weight";
constexpr std::string_view kOtherModels = "config.json and weights are not of the same model";

// What can be computed, and is by every reader.
bool is_idle(std::string_view name) { return name.ends_with(".rotary_emb.inv_freq"); }

std::optional<TensorType> float_type_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f16:
      return TensorType::f16;
    case Dtype::bf16:
      return TensorType::bf16;
    case Dtype::f32:
      return TensorType::f32;
    default:
      return std::nullopt;
  }
}

// Whether two tensors have the same values, in whatever type; they may be larger than memory.
bool is_same(const Safetensors& weights, const StoredTensor& a, const StoredTensor& b) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;  // elements
  const auto type_of_a = float_type_of(a.dtype);
  const auto type_of_b = float_type_of(b.dtype);
  const std::uint64_t n = a.n_elements();
  if (!type_of_a || !type_of_b || a.shape != b.shape) return false;
  std::vector<float> of_a(std::min(n, kPiece));
  std::vector<float> of_b(of_a.size());
  const auto read = [&](const StoredTensor& stored, TensorType type, std::uint64_t at,
                        std::span<float> values) {
    const std::uint64_t width = quant::info(type).n_bytes(1, 1);
    const auto bytes = stored.data.subspan(at * width, values.size() * width);
    const quant::Matrix row{.type = type, .rows = 1, .cols = values.size(), .data = bytes.data()};
    quant::info(type).decode_row(row, 0, values.data());
    weights.file(stored.part).give_back(bytes);
  };
  for (std::uint64_t at = 0; at < n; at += kPiece) {
    const std::size_t here = std::min(kPiece, n - at);
    read(a, *type_of_a, at, std::span(of_a).first(here));
    read(b, *type_of_b, at, std::span(of_b).first(here));
    if (std::memcmp(of_a.data(), of_b.data(), here * sizeof(float)) != 0) return false;
  }
  return true;
}

}  // namespace

std::string_view module_of_weight(std::string_view name) {
  constexpr std::string_view kWeight = ".weight";
  return name.ends_with(kWeight) ? name.substr(0, name.size() - kWeight.size()) : name;
}

StoredPart StoredParts::take(const HfTensor& wanted, const std::vector<std::string>& names) {
  StoredPart part;
  for (const std::string& name : names) {
    if (part.stored == nullptr) part.stored = weights_.find(name);
  }
  if (part.stored == nullptr) {
    throw ModelError(folder_, "tensor " + names.front() + ": missing",
                     names.front() == kHead
                         ? "config.json does not say that it is the embedding, with tie_word_embeddings"
                         : "the download is incomplete, or config.json is another model's");
  }
  const StoredTensor& stored = *part.stored;
  used_[index_of(stored)] = true;
  const bool has_codes =
      (config_.weights == HfWeights::divided || config_.weights == HfWeights::multiplied) &&
      config_.is_converted(module_of_weight(stored.name));
  // Heads are converted by few: the weights show which.
  part.is_packed = has_codes && (wanted.role == TensorRole::layer_matrix ||
                                 (wanted.role == TensorRole::head && stored.dtype == Dtype::u8));
  if (part.is_packed) {
    take_packed(wanted, part);
    return part;
  }
  const auto type = float_type_of(stored.dtype);
  if (!type) {
    weights_.refuse(stored, "is " + stored.dtype_name + " where floats (F32, F16 or BF16) are expected",
                    stored.dtype == Dtype::u8 ? "config.json does not say that it is packed, with a "
                                                "quantization_config of the method bitnet that converts it"
                                              : "such weights are not supported");
  }
  part.floats = *type;
  check_shape(stored, wanted.rows == 0 ? std::vector{wanted.cols} : std::vector{wanted.rows, wanted.cols},
              "config.json asks for");
  return part;
}

void StoredParts::take_packed(const HfTensor& wanted, StoredPart& part) {
  const StoredTensor& stored = *part.stored;
  if (stored.dtype != Dtype::u8) {
    weights_.refuse(stored,
                    "is " + stored.dtype_name + " where config.json's quantization_config has packed U8",
                    "masters have the quantization_mode online there");
  }
  check_shape(stored, {byte_rows_of(wanted.rows), wanted.cols},
              std::to_string(wanted.rows) + " packed rows of " + std::to_string(wanted.cols) + " take");
  part.scale = take_scale(stored);
}

// What multiplies the codes.
float StoredParts::take_scale(const StoredTensor& stored) {
  const std::string name = stored.name + "_scale";
  const StoredTensor* scale = weights_.find(name);
  if (scale == nullptr) {
    throw ModelError(folder_, "tensor " + printable(name, kMaxPrintedName) + ": missing",
                     "packed weights cannot be used without it: the download is incomplete");
  }
  used_[index_of(*scale)] = true;
  const auto type = float_type_of(scale->dtype);
  if (scale->n_elements() != 1 || !type) {
    weights_.refuse(*scale, "is " + scale->dtype_name + " " + describe_shape(scale->shape) +
                                " where one float is expected");
  }
  const quant::Matrix one{.type = *type, .rows = 1, .cols = 1, .data = scale->data.data()};
  float value = 0;
  quant::info(one.type).decode_row(one, 0, &value);
  const float factor = config_.weights == HfWeights::divided ? 1.0F / value : value;
  if (!(value > 0) || !std::isfinite(value) || !std::isfinite(factor) || factor == 0) {
    weights_.refuse(*scale, std::to_string(value) + " is no scale", "the file is damaged: download it again");
  }
  return factor;
}

void StoredParts::check_shape(const StoredTensor& stored, const std::vector<std::uint64_t>& shape,
                              std::string_view whose) const {
  if (stored.shape == shape) return;
  weights_.refuse(
      stored,
      "shape " + describe_shape(stored.shape) + " where " + std::string(whose) + " " + describe_shape(shape),
      kOtherModels);
}

void StoredParts::check_leftovers(std::vector<std::string>& notes) const {
  for (const StoredTensor& stored : weights_.tensors()) {
    if (used_[index_of(stored)] || is_idle(stored.name)) continue;
    if (config_.shape.tied && stored.name == kHead) {
      const StoredTensor* embedding = weights_.find(kEmbedding);
      if (embedding != nullptr && is_same(weights_, stored, *embedding)) {
        notes.push_back(std::string(kHead) + " is the embedding once more, and left out");
        continue;
      }
      weights_.refuse(stored,
                      "differs from the embedding, which config.json's tie_word_embeddings says it is",
                      "one of the two is wrong: set it to false if the head is one of its own");
    }
    weights_.refuse(stored, "has no place in the graph of " + std::string(config_.family->architecture),
                    "ignoring it would give wrong text");
  }
}

}  // namespace bitnet::convert
