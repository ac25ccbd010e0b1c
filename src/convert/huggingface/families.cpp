#include "convert/huggingface/families.h"

#include <algorithm>

#include "base/joined.h"

namespace bitnet::convert {
namespace {

// Facts from each model's config.json, and from the defaults of the classes in transformers.
constexpr std::array<HfFamily, 5> kFamilies{{
    {.class_name = "BitNetForCausalLM",  // Microsoft's BitNet-b1.58-2B-4T
     .architecture = "bitnet-b1.58",
     .sub_norms = true,
     .always_ternary = true,
     .rope_theta = 500000},
    {.class_name = "BitnetForCausalLM",  // 1bitLLM's bitnet_b1_58-large and -3B
     .architecture = "bitnet",
     .sub_norms = true,
     .always_ternary = true,
     .always_masters = true,
     .rope_theta = 10000},
    {.class_name = "LlamaForCausalLM",  // Llama3-8B-1.58, Falcon3-1.58bit, Falcon-E, TriLM
     .architecture = "llama",
     .interleaves_heads = true,
     .rope_theta = 10000},
    {.class_name = "Qwen3ForCausalLM",  // Ternary-Bonsai
     .architecture = "qwen3",
     .head_norms = true,
     .rope_theta = 10000,
     .head_dim = 128},
    {.class_name = "MapleForCausalLM",  // Maple-preview
     .architecture = "maple",
     .head_norms = true,
     .experts = true},
}};

class List {
 public:
  List(const HfFamily& family, const HfShape& shape) : family_(family), shape_(shape) {}

  std::vector<HfTensor> make() {
    const HfShape& s = shape_;
    matrix("token_embd", {"model.embed_tokens"}, s.vocab, s.hidden, TensorRole::embedding);
    for (std::uint64_t i = 0; i < s.layers; ++i) add_layer(i);
    vector("output_norm", {"model.norm"}, s.hidden);
    if (!s.tied) matrix("output", {"lm_head"}, s.vocab, s.hidden, TensorRole::head);
    return std::move(tensors_);
  }

 private:
  void add_layer(std::uint64_t i) {
    const HfShape& s = shape_;
    to_ = "blk." + std::to_string(i) + ".";
    from_ = "model.layers." + std::to_string(i) + ".";
    constexpr auto kMatrix = TensorRole::layer_matrix;
    vector("attn_norm", {"input_layernorm"}, s.hidden);
    matrix("attn_q", {"self_attn.q_proj"}, s.q_dim, s.hidden, kMatrix, heads_if_interleaved(s.heads));
    matrix("attn_k", {"self_attn.k_proj"}, s.kv_dim, s.hidden, kMatrix, heads_if_interleaved(s.kv_heads));
    matrix("attn_v", {"self_attn.v_proj"}, s.kv_dim, s.hidden, kMatrix);
    if (family_.head_norms) {
      vector("attn_q_norm", {"self_attn.q_norm"}, s.head_dim);
      vector("attn_k_norm", {"self_attn.k_norm"}, s.head_dim);
    }
    // 1bitLLM's models have names of their own for the two.
    if (family_.sub_norms) {
      vector("attn_sub_norm", {"self_attn.attn_sub_norm", "self_attn.inner_attn_ln"}, s.q_dim);
    }
    matrix("attn_output", {"self_attn.o_proj"}, s.hidden, s.q_dim, kMatrix);
    vector("ffn_norm", {"post_attention_layernorm"}, s.hidden);
    if (family_.experts) {
      matrix("ffn_gate_inp", {"mlp.gate"}, s.experts, s.hidden, TensorRole::other);
      stacked("ffn_gate_exps", "gate_proj", s.ffn, s.hidden);
      stacked("ffn_up_exps", "up_proj", s.ffn, s.hidden);
      stacked("ffn_down_exps", "down_proj", s.hidden, s.ffn);
    } else {
      matrix("ffn_gate", {"mlp.gate_proj"}, s.ffn, s.hidden, kMatrix);
      matrix("ffn_up", {"mlp.up_proj"}, s.ffn, s.hidden, kMatrix);
      if (family_.sub_norms) vector("ffn_sub_norm", {"mlp.ffn_sub_norm", "mlp.ffn_layernorm"}, s.ffn);
      matrix("ffn_down", {"mlp.down_proj"}, s.hidden, s.ffn, kMatrix);
    }
    to_.clear();
    from_.clear();
  }

  std::uint64_t heads_if_interleaved(std::uint64_t n) const { return family_.interleaves_heads ? n : 0; }

  HfTensor& add(std::string_view name, const std::vector<std::string_view>& stems) {
    HfTensor& tensor = tensors_.emplace_back();
    tensor.name = to_ + std::string(name) + ".weight";
    if (!stems.empty()) tensor.parts.emplace_back();
    for (const std::string_view stem : stems) {
      tensor.parts.back().push_back(from_ + std::string(stem) + ".weight");
    }
    return tensor;
  }
  void vector(std::string_view name, const std::vector<std::string_view>& stems, std::uint64_t n) {
    add(name, stems).cols = n;
  }
  void matrix(std::string_view name, const std::vector<std::string_view>& stems, std::uint64_t rows,
              std::uint64_t cols, TensorRole role, std::uint64_t interleaved_heads = 0) {
    HfTensor& tensor = add(name, stems);
    tensor.rows = rows;
    tensor.cols = cols;
    tensor.role = role;
    tensor.interleaved_heads = interleaved_heads;
  }
  void stacked(std::string_view name, const std::string& stem, std::uint64_t rows, std::uint64_t cols) {
    HfTensor& tensor = add(name, {});
    tensor.rows = rows;
    tensor.cols = cols;
    tensor.role = TensorRole::layer_matrix;
    for (std::uint64_t e = 0; e < shape_.experts; ++e) {
      tensor.parts.push_back({from_ + "mlp.experts." + std::to_string(e) + "." + stem + ".weight"});
    }
  }

  const HfFamily& family_;
  const HfShape& shape_;
  std::string to_;    // prefix of a layer in GGUF
  std::string from_;  // and in the folder
  std::vector<HfTensor> tensors_;
};

}  // namespace

const HfFamily* find_hf_family(std::string_view class_name) {
  const auto* const found = std::ranges::find(kFamilies, class_name, &HfFamily::class_name);
  return found == kFamilies.end() ? nullptr : found;
}

std::string hf_family_names() { return joined(kFamilies, &HfFamily::class_name); }

std::vector<HfTensor> tensors_of(const HfFamily& family, const HfShape& shape) {
  return List(family, shape).make();
}

}  // namespace bitnet::convert
