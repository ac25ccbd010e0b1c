// config.json: what a folder's model is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convert/huggingface/families.h"
#include "convert/huggingface/json_file.h"
#include "gguf/key_values.h"

namespace bitnet::convert {

// How the layers' matrices are stored.
enum class HfWeights : std::uint8_t {
  floats,      // as they are multiplied
  masters,     // floats that the model rounds by absmean before it multiplies
  divided,     // codes and weight_scale, w = code / weight_scale ("bitlinear")
  multiplied,  // codes and weight_scale, w = code * weight_scale ("autobitlinear")
};

struct HfConfig {
  const HfFamily* family = nullptr;
  HfShape shape;
  HfWeights weights = HfWeights::floats;
  std::vector<std::string>
      not_converted;                // parts of names of modules that are floats whatever `weights` says
  std::vector<float> rope_factors;  // rope_freqs.weight, where there is one

  bool is_converted(std::string_view module) const;
};

// Reads and checks it, and sets the keys that a GGUF file of the model has but for those of the tokenizer.
// `takes_dense`: a BitNet model without quantization_config is taken, its weights as floats, instead of
// refused. Throws ModelError, which names the field, for a model of an unknown class, a missing or senseless
// value, or one that asks for another graph. Fields that are merely unknown are named in `notes`.
HfConfig read_hf_config(const Json& json, const std::string& shown, bool takes_dense, gguf::KeyValues& keys,
                        std::vector<std::string>& notes);

}  // namespace bitnet::convert
