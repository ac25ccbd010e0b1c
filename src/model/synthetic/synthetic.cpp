#include "model/synthetic/synthetic.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <random>
#include <utility>

#include "bitnet/error.h"
#include "model/hidden_act.h"
#include "model/i2s/layout_choice.h"
#include "quant/i2_s.h"

namespace bitnet {
namespace {

// Each unit of a tensor has a generator of its own, so that it doesn't matter which thread fills it.
constexpr std::size_t kUnitBytes = 1U << 20;
constexpr std::size_t kReportedUnits = 32;  // between two reports of progress: some tenths of a second

constexpr float kNormSpread = 0.1F;

void fill_norm(std::byte* data, std::size_t n, SyntheticRandom& random) {
  for (std::size_t i = 0; i < n; ++i, data += sizeof(float)) {
    const float uniform = static_cast<float>(random() >> 40) * 0x1p-23F - 1.0F;  // [-1, 1)
    const float weight = 1.0F + kNormSpread * uniform;
    std::memcpy(data, &weight, sizeof weight);
  }
}

// What makes the product with a normalised input normalised.
float product_deviation(std::uint64_t cols) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(cols)));
}

std::vector<std::byte> i2s_tail(std::uint64_t cols) {
  // Two of three codes count.
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(cols) * 2.0 / 3.0));
  std::vector<std::byte> tail(quant::i2_s::kTailBytes);
  std::memcpy(tail.data(), &scale, sizeof scale);
  return tail;
}

}  // namespace

SyntheticModel::SyntheticModel(const SyntheticShape& shape, std::uint64_t seed) : seed_(seed) {
  check(shape);
  const SyntheticFamily& family = *find_synthetic_family(shape.architecture);
  add_keys(shape, family);
  add_tensors(shape, family);
}

void SyntheticModel::add_keys(const SyntheticShape& s, const SyntheticFamily& family) {
  const std::string prefix = std::string(s.architecture) + ".";
  const auto add = [&](const char* suffix, std::size_t value) {
    header_.add(prefix + suffix, static_cast<std::uint32_t>(value));
  };
  header_.add("general.architecture", s.architecture);
  header_.add("general.name", "synthetic " + std::string(s.name));
  add("vocab_size", s.vocab);
  add("context_length", s.context_length);
  add("embedding_length", s.hidden);
  add("block_count", s.n_layers);
  add("feed_forward_length", s.ffn);
  add("rope.dimension_count", family.experts ? s.head_size() / 2 : s.head_size());
  header_.add(prefix + "rope.freq_base", s.rope_theta);
  add("attention.head_count", s.n_heads);
  add("attention.head_count_kv", s.n_kv_heads);
  if (s.head_dim != 0) {
    add("attention.key_length", s.head_dim);
    add("attention.value_length", s.head_dim);
  }
  header_.add(prefix + "attention.layer_norm_rms_epsilon", 1e-5F);
  // What a label or random weights do not tell.
  if (family.sub_norms) {
    header_.add(prefix + "hidden_activation", name_of(family.relu2 ? HiddenAct::relu2 : HiddenAct::silu));
  }
  if (s.type == "i2_s" || s.embedding_type == "i2_s" || s.head_type == "i2_s") {
    header_.add(kI2sLayoutKey, name_of(I2sLayout::x86));
  }
  if (family.experts) {
    add("expert_count", s.n_experts);
    add("expert_used_count", s.n_experts_used);
    add("expert_feed_forward_length", s.ffn);
    add("attention.sliding_window", 512);
    const auto slides = std::make_unique<bool[]>(s.n_layers);  // three of four layers
    for (std::size_t i = 0; i < s.n_layers; ++i) slides[i] = i % 4 != 3;
    header_.add_array<bool>(prefix + "attention.sliding_window_pattern", {slides.get(), s.n_layers});
    const std::vector<float> clamps(s.n_layers, 7.0F);
    header_.add_array<float>(prefix + "swiglu_clamp_exp", clamps);
  }
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < s.vocab; ++i) tokens.push_back("t" + std::to_string(i));
  header_.add("tokenizer.ggml.model", "gpt2");
  header_.add("tokenizer.ggml.pre", family.pre);
  header_.add_array("tokenizer.ggml.tokens", tokens);
}

void SyntheticModel::add(const std::string& name, std::string_view type_name,
                         std::initializer_list<std::uint64_t> dims, float deviation) {
  const SyntheticType& type = *find_synthetic_type(type_name);
  std::uint64_t rows = 1;
  for (const std::uint64_t dim : std::span(dims).subspan(1)) rows *= dim;
  const std::uint64_t cols = *dims.begin();
  tensors_.push_back({&type, rows, cols, deviation});
  header_.add_tensor(name, std::span(dims), type.id(), quant::info(type.type).n_bytes(rows, cols));
}

void SyntheticModel::add_norm(const std::string& name, std::size_t n) { add(name, "f32", {n}, 0); }

void SyntheticModel::add_tensors(const SyntheticShape& s, const SyntheticFamily& family) {
  const std::size_t q_dim = s.n_heads * s.head_size();
  const std::size_t kv_dim = s.n_kv_heads * s.head_size();
  std::size_t layer = 0;
  const auto shut_last = [&](std::string_view name) {
    Tensor& tensor = tensors_.back();
    tensor.shutting = gate_shutting_part(s, name, layer, static_cast<std::size_t>(tensor.cols));
  };
  const auto full_name = [&](std::string_view name) {
    return "blk." + std::to_string(layer) + "." + std::string(name);
  };
  const auto add_layer_norm = [&](std::string_view name, std::size_t n) {
    add_norm(full_name(name), n);
    shut_last(name);
  };
  const auto add_matrix = [&](std::string_view name, std::size_t rows, std::size_t cols) {
    add(full_name(name), s.type, {cols, rows}, product_deviation(cols));
    shut_last(name);
  };
  const auto add_experts = [&](std::string_view name, std::size_t rows, std::size_t cols) {
    add(full_name(name), s.type, {cols, rows, s.n_experts}, product_deviation(cols));
  };
  add("token_embd.weight", s.embedding_type, {s.hidden, s.vocab}, s.embedding_deviation);
  shut_last("token_embd.weight");
  for (; layer < s.n_layers; ++layer) {
    add_layer_norm("attn_norm.weight", s.hidden);
    add_matrix("attn_q.weight", q_dim, s.hidden);
    add_matrix("attn_k.weight", kv_dim, s.hidden);
    add_matrix("attn_v.weight", kv_dim, s.hidden);
    if (family.head_norms) {
      add_layer_norm("attn_q_norm.weight", s.head_size());
      add_layer_norm("attn_k_norm.weight", s.head_size());
    }
    if (family.sub_norms) add_layer_norm("attn_sub_norm.weight", q_dim);
    add_matrix("attn_output.weight", s.hidden, q_dim);
    add_layer_norm("ffn_norm.weight", s.hidden);
    if (family.experts) {
      add(full_name("ffn_gate_inp.weight"), "f32", {s.hidden, s.n_experts}, product_deviation(s.hidden));
      add_experts("ffn_gate_exps.weight", s.ffn, s.hidden);
      add_experts("ffn_up_exps.weight", s.ffn, s.hidden);
      add_experts("ffn_down_exps.weight", s.hidden, s.ffn);
      continue;
    }
    add_matrix("ffn_gate.weight", s.ffn, s.hidden);
    add_matrix("ffn_up.weight", s.ffn, s.hidden);
    if (family.sub_norms) add_layer_norm("ffn_sub_norm.weight", s.ffn);
    add_matrix("ffn_down.weight", s.hidden, s.ffn);
  }
  add_norm("output_norm.weight", s.hidden);
  if (!s.head_type.empty()) {
    add("output.weight", s.head_type, {s.hidden, s.vocab}, s.embedding_deviation);
  }
}

void SyntheticModel::write(ThreadPool& pool, const Sink& sink,
                           const std::function<bool(double fraction)>& on_progress) const {
  std::uint64_t done = 0;
  const auto put = [&](std::span<const std::byte> bytes) {
    sink(bytes);
    done += bytes.size();
  };
  put(header_.header());
  std::vector<std::byte> buffer;
  for (std::size_t index = 0; index < tensors_.size(); ++index) {
    const Tensor& tensor = tensors_[index];
    const SyntheticType& type = *tensor.type;
    const std::size_t unit = kUnitBytes / type.block_bytes();  // blocks
    const BlockSource source(seed_, tensor.deviation, type.draws_normals && tensor.deviation > 0);
    const std::uint64_t n_blocks = tensor.rows * tensor.cols / type.block();
    const auto fill = [&](std::uint64_t number, std::byte* data, std::size_t n) {
      std::seed_seq seeds{static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32),
                          static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(number)};
      SyntheticRandom random(seeds);
      if (tensor.deviation == 0) {
        fill_norm(data, n, random);
      } else {
        type.fill(data, n, source, random);
      }
      shut_gates(tensor.shutting, number * unit * type.block(), n * type.block(), data);
    };
    for (std::uint64_t first = 0; first < n_blocks; first += kReportedUnits * unit) {
      if (on_progress && !on_progress(static_cast<double>(done) / static_cast<double>(file_size()))) {
        throw RuntimeError("the synthetic model: making it was ended by request");
      }
      const auto n =
          static_cast<std::size_t>(std::min<std::uint64_t>(kReportedUnits * unit, n_blocks - first));
      buffer.resize(std::max(buffer.size(), n * type.block_bytes()));
      pool.parallel_for((n + unit - 1) / unit, 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          fill(first / unit + i, &buffer[i * unit * type.block_bytes()], std::min(unit, n - i * unit));
        }
      });
      put(std::span(buffer).first(n * type.block_bytes()));
    }
    if (type.tail_bytes() > 0) put(i2s_tail(tensor.cols));
    const std::uint64_t next =
        index + 1 < tensors_.size() ? header_.data_offset(index + 1) : header_.file_size();
    const std::vector<std::byte> padding(static_cast<std::size_t>(next - done));
    put(padding);
  }
}

AnonymousMemory make_synthetic_model(const SyntheticShape& shape, std::uint64_t seed, ThreadPool& pool,
                                     const std::function<bool(double fraction)>& on_progress) {
  const SyntheticModel model(shape, seed);
  AnonymousMemory memory(model.file_size(), "the synthetic model");
  memory.prefer_huge_pages();
  auto* at = static_cast<std::byte*>(memory.data());
  model.write(
      pool, [&](std::span<const std::byte> bytes) { at = std::ranges::copy(bytes, at).out; }, on_progress);
  return memory;
}

}  // namespace bitnet
