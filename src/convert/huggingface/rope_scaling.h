// How config.json says that positions are stretched, as keys and a tensor of a GGUF file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convert/huggingface/field_reader.h"
#include "gguf/key_values.h"

namespace bitnet::convert {

struct HfRope {
  std::uint64_t head_dim = 0;
  std::uint64_t context_length = 0;
  std::optional<double> original_context;  // original_max_position_embeddings, wherever it stands
  double theta = 0;
  bool takes_factors = false;  // the family reads rope_freqs.weight
};

// What a field of rope_theta's kind is, in config.json itself and in its objects rope_parameters (of
// transformers 5, which writes all of it there) and rope_scaling; nullopt: it is in none. Throws ModelError
// naming two places that say different things.
std::optional<double> find_rope_number(const FieldReader& config, std::string_view field, double low,
                                       double high);

// Which object says how positions are stretched: rope_parameters, else rope_scaling. Throws ModelError where
// they contradict each other.
std::optional<FieldReader> find_rope_scaling(const FieldReader& config);

// `scaling`: of find_rope_scaling(). Sets the keys under `prefix` ("qwen3.") and gives the values of
// rope_freqs.weight, if there are such: [head_dim / 2], by which frequencies are divided. Throws ModelError
// for a kind that no GGUF file of the family can express.
std::vector<float> put_rope_scaling(const FieldReader& scaling, const HfRope& rope, const std::string& prefix,
                                    gguf::KeyValues& keys);

}  // namespace bitnet::convert
