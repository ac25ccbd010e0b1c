// Shapes of models that are made of random weights.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace bitnet {

struct SyntheticShape {
  std::string_view name;          // of the preset
  std::string_view architecture;  // one of synthetic_architectures()
  std::size_t n_layers = 0;
  std::size_t hidden = 0;
  std::size_t n_heads = 0;
  std::size_t n_kv_heads = 0;
  std::size_t head_dim = 0;  // 0: hidden / n_heads
  std::size_t ffn = 0;       // of each expert, where there are any
  std::size_t vocab = 0;
  std::size_t context_length = 0;
  float rope_theta = 10000.0F;
  // By name, of synthetic_types(): of the layers' matrices, of the embedding, and of a head of its own;
  // without one the embedding serves as the head.
  std::string_view type = "i2_s";
  std::string_view embedding_type = "f16";
  std::string_view head_type = {};
  // Of the embedding's weights, and of the head's. What the layers add to a token's embedding is of order one
  // for each of them, so this says how much of it is left in the end, and with it how far its own logit
  // stands out.
  float embedding_deviation = 0.05F;
  std::size_t n_experts = 0;       // maple alone has them
  std::size_t n_experts_used = 0;  // of them, for each token
  bool shut_gates = false;         // as many of them as a trained relu^2 model shuts: see shut_gates.h

  std::size_t head_size() const { return head_dim == 0 ? hidden / n_heads : head_dim; }
};

// Shapes of published models, and a small one. The "peaked" one has a best logit that stands out as those of
// trained models do, by some eight standard deviations; with the others it is the largest of so many random
// numbers. The "sparse" one is peaked and shuts its gates as trained models do, some 63 %, so that some 80 %
// of the int8 inputs of ffn_down are zeros; with the others half of the gates are open.
std::span<const SyntheticShape> synthetic_presets();
// nullptr for an unknown name.
const SyntheticShape* find_synthetic_preset(std::string_view name);
// "2b-4t, ...": for messages and help.
std::string synthetic_preset_names();

// What tensors and keys a family has beside the others.
struct SyntheticFamily {
  std::string_view architecture;
  bool relu2 = false;
  bool sub_norms = false;   // attn_sub_norm, ffn_sub_norm
  bool head_norms = false;  // attn_q_norm, attn_k_norm
  bool experts = false;
  std::string_view pre = "llama-bpe";  // tokenizer.ggml.pre
};
std::span<const SyntheticFamily> synthetic_families();
const SyntheticFamily* find_synthetic_family(std::string_view architecture);
std::string synthetic_family_names();

// The type of the layers' matrices, and of the embedding and the head where they had the same.
void set_type(SyntheticShape& shape, std::string_view type);

// Throws OptionError for what no model could have: widths that are not whole blocks of their types, heads
// that do not divide, an unknown name.
void check(const SyntheticShape& shape);

}  // namespace bitnet
