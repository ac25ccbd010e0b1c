// The families of models as Hugging Face has them: what their config.json is called, and their tensors.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convert/source.h"

namespace bitnet::convert {

struct HfFamily {
  std::string_view class_name;     // of config.json's architectures
  std::string_view architecture;   // in GGUF
  bool interleaves_heads = false;  // rows of q and k: halves side by side to pairs, as its files have them
  bool sub_norms = false;
  bool head_norms = false;
  bool experts = false;
  // Layers are ternary whatever config.json says: floats are masters, or dense and not weights of such a
  // model.
  bool always_ternary = false;
  bool always_masters = false;  // and always masters, without config.json's word
  // What transformers takes where config.json is silent; 0: it must say it.
  double rope_theta = 0;
  std::uint64_t head_dim = 0;  // 0: hidden_size / num_attention_heads
};

// nullptr for an unknown class.
const HfFamily* find_hf_family(std::string_view class_name);
// For messages.
std::string hf_family_names();

// The widths that shapes are checked against.
struct HfShape {
  std::uint64_t hidden = 0;
  std::uint64_t ffn = 0;
  std::uint64_t q_dim = 0;
  std::uint64_t kv_dim = 0;
  std::uint64_t heads = 0;
  std::uint64_t kv_heads = 0;
  std::uint64_t head_dim = 0;
  std::uint64_t experts = 0;
  std::uint64_t vocab = 0;
  std::uint64_t layers = 0;
  bool tied = false;
};

// A tensor of a GGUF file and those that it is made of.
struct HfTensor {
  std::string name;  // in GGUF
  std::vector<std::vector<std::string>>
      parts;               // names of each part, one of which is there; one under another
  std::uint64_t rows = 0;  // of each part; 0: a vector
  std::uint64_t cols = 0;
  TensorRole role = TensorRole::other;
  std::uint64_t interleaved_heads = 0;  // 0: rows stay in their order
};

// In the order in which they are written.
std::vector<HfTensor> tensors_of(const HfFamily& family, const HfShape& shape);

}  // namespace bitnet::convert
