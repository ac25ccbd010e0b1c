// How config.json says that positions are stretched, as keys and a tensor of a GGUF file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "convert/huggingface/field_reader.h"
#include "gguf/key_values.h"

namespace bitnet::convert {

struct HfRope {
  std::uint64_t head_dim = 0;
  std::uint64_t context_length = 0;
  double theta = 0;
  bool takes_factors = false;  // the family reads rope_freqs.weight
};

// `scaling`: rope_scaling or rope_parameters. Sets the keys under `prefix` ("qwen3.") and gives the values of
// rope_freqs.weight, if there are such: [head_dim / 2], by which frequencies are divided. Throws ModelError
// for a kind that no GGUF file of the family can express.
std::vector<float> put_rope_scaling(const FieldReader& scaling, const HfRope& rope, const std::string& prefix,
                                    gguf::KeyValues& keys);

}  // namespace bitnet::convert
