// Which of a folder's tensors a GGUF tensor is made of, checked against what config.json says of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "convert/huggingface/config.h"
#include "convert/huggingface/families.h"
#include "convert/huggingface/safetensors.h"
#include "quant/tensor_type.h"

namespace bitnet::convert {

// All of a tensor, or an expert's share.
struct StoredPart {
  const StoredTensor* stored = nullptr;
  quant::TensorType floats = quant::TensorType::f32;  // how they are stored
  bool is_packed = false;                             // codes instead (packed_rows.h)
  float scale = 1;                                    // of codes
};

// "model.layers.0.mlp.up_proj" of "model.layers.0.mlp.up_proj.weight".
std::string_view module_of_weight(std::string_view name);

// Hands parts out, and remembers which were. Everything throws ModelError naming the tensor.
class StoredParts {
 public:
  // `folder` names it in messages. The others must outlive this.
  StoredParts(const Safetensors& weights, const HfConfig& config, std::string folder)
      : weights_(weights),
        config_(config),
        folder_(std::move(folder)),
        used_(weights.tensors().size(), false) {}

  // The first of the names that is there.
  StoredPart take(const HfTensor& wanted, const std::vector<std::string>& names);
  // Nothing may be left but what every reader computes, and the head that is the embedding.
  void check_leftovers(std::vector<std::string>& notes) const;

 private:
  void take_packed(const HfTensor& wanted, StoredPart& part);
  float take_scale(const StoredTensor& stored);
  std::size_t index_of(const StoredTensor& stored) const {
    return static_cast<std::size_t>(&stored - weights_.tensors().data());
  }
  void check_shape(const StoredTensor& stored, const std::vector<std::uint64_t>& shape,
                   std::string_view whose) const;

  const Safetensors& weights_;
  const HfConfig& config_;
  std::string folder_;
  std::vector<bool> used_;  // of weights_
};

}  // namespace bitnet::convert
