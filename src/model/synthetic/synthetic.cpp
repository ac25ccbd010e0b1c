#include "model/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <random>
#include <utility>
#include <vector>

#include "base/half.h"
#include "bitnet/error.h"
#include "gguf/writer.h"
#include "model/i2s/layout_choice.h"
#include "quant/tensor_type.h"

namespace bitnet {
namespace {

using quant::TensorType;
using Random = std::mt19937_64;  // the standard fixes its bits; it doesn't fix those of its distributions

constexpr std::array kPresets{
    SyntheticShape{"2b-4t", "bitnet-b1.58", 30, 2560, 20, 5, 6912, 128256, 4096, 500000.0F},
    SyntheticShape{"2b-4t-peaked", "bitnet-b1.58", 30, 2560, 20, 5, 6912, 128256, 4096, 500000.0F, 1.25F},
    SyntheticShape{"0.7b", "bitnet", 24, 1536, 16, 16, 4096, 32002, 2048, 10000.0F},
    SyntheticShape{"tiny", "bitnet-b1.58", 2, 256, 4, 2, 512, 320, 512, 10000.0F},
};

// Each block of a tensor has a generator of its own, so that it doesn't matter which thread fills it.
constexpr std::size_t kBlockBytes = 1U << 20;
constexpr std::size_t kReportedBlocks = 32;  // between two reports of progress: some tenths of a second

constexpr float kNormSpread = 0.1F;

// Pairs of I2_S bytes, that is eight codes of 0 to 2: drawn by the number of the pair.
constexpr std::size_t kBytes = 3 * 3 * 3 * 3;
std::vector<std::uint16_t> ternary_pairs() {
  const auto byte = [](std::size_t i) { return i % 3 | i / 3 % 3 << 2 | i / 9 % 3 << 4 | i / 27 % 3 << 6; };
  std::vector<std::uint16_t> pairs;
  for (std::size_t i = 0; i < kBytes * kBytes; ++i) {
    pairs.push_back(static_cast<std::uint16_t>(byte(i % kBytes) | byte(i / kBytes) << 8));
  }
  return pairs;
}

// Samples of N(0, deviation) in F16. Sums of twelve uniform numbers come close enough, and unlike
// logarithms they are the same on every machine.
std::vector<std::uint16_t> normal_samples(std::size_t n, std::uint64_t seed, float deviation) {
  Random random(seed);
  std::vector<std::uint16_t> samples;
  for (std::size_t i = 0; i < n; ++i) {
    double sum = -6.0;
    for (int k = 0; k < 12; ++k) sum += static_cast<double>(random() >> 11) * 0x1p-53;
    samples.push_back(f32_to_f16(static_cast<float>(sum * static_cast<double>(deviation))));
  }
  return samples;
}

class Filler {
 public:
  // keep_going is asked with the bytes filled so far.
  Filler(std::uint64_t seed, float embedding_deviation, ThreadPool& pool,
         std::function<bool(std::uint64_t)> keep_going)
      : seed_(seed),
        pool_(pool),
        keep_going_(std::move(keep_going)),
        pairs_(ternary_pairs()),
        normals_(normal_samples(kNormals, seed, embedding_deviation)) {}

  // cols * rows / 4 bytes of codes, then the scale that keeps the product of normalised inputs normalised.
  void ternary(std::byte* data, std::uint64_t rows, std::uint64_t cols) {
    const std::size_t n_bytes = rows * cols / 4;  // a multiple of 32
    in_blocks(n_bytes, [&](std::size_t begin, std::size_t end, Random& random) {
      for (std::size_t at = begin; at < end; at += 4) {
        const std::uint64_t bits = random();
        const std::array two{pairs_[(bits & 0xFFFFFFFFU) * pairs_.size() >> 32],
                             pairs_[(bits >> 32) * pairs_.size() >> 32]};
        std::memcpy(data + at, two.data(), sizeof two);
      }
    });
    // Two of three codes count.
    const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(cols) * 2.0 / 3.0));
    std::memcpy(data + n_bytes, &scale, sizeof scale);
  }

  void embedding(std::byte* data, std::uint64_t n_values) {
    in_blocks(n_values * 2, [&](std::size_t begin, std::size_t end, Random& random) {
      for (std::size_t at = begin; at < end; at += 8) {  // rows are whole groups of 128 values
        const std::uint64_t bits = random();
        const std::array four{normals_[bits % kNormals], normals_[(bits >> 16) % kNormals],
                              normals_[(bits >> 32) % kNormals], normals_[(bits >> 48) % kNormals]};
        std::memcpy(data + at, four.data(), sizeof four);
      }
    });
  }

  void norm(std::byte* data, std::uint64_t n_values) {
    in_blocks(n_values * 4, [&](std::size_t begin, std::size_t end, Random& random) {
      for (std::size_t at = begin; at < end; at += 4) {
        const float uniform = static_cast<float>(random() >> 40) * 0x1p-23F - 1.0F;  // [-1, 1)
        const float weight = 1.0F + kNormSpread * uniform;
        std::memcpy(data + at, &weight, sizeof weight);
      }
    });
  }

 private:
  static constexpr std::size_t kNormals = 4096;  // 8 KB: they stay in the first cache

  template <typename Fill>
  void in_blocks(std::size_t n_bytes, const Fill& fill) {
    const std::uint32_t tensor = n_tensors_++;
    const std::size_t n_blocks = (n_bytes + kBlockBytes - 1) / kBlockBytes;
    const auto fill_block = [&](std::size_t block) {
      std::seed_seq seeds{static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32), tensor,
                          static_cast<std::uint32_t>(block)};
      Random random(seeds);
      fill(block * kBlockBytes, std::min(n_bytes, (block + 1) * kBlockBytes), random);
    };
    for (std::size_t at = 0; at < n_blocks; at += kReportedBlocks) {
      if (!keep_going_(n_filled_ + at * kBlockBytes)) {
        throw RuntimeError("the synthetic model: making it was ended by request");
      }
      const std::size_t n = std::min(kReportedBlocks, n_blocks - at);
      pool_.parallel_for(n, 1, [&](std::size_t first, std::size_t last) {
        for (std::size_t block = first; block < last; ++block) fill_block(at + block);
      });
    }
    n_filled_ += n_bytes;
  }

  std::uint64_t seed_;
  ThreadPool& pool_;
  std::function<bool(std::uint64_t)> keep_going_;
  std::uint64_t n_filled_ = 0;
  std::vector<std::uint16_t> pairs_;
  std::vector<std::uint16_t> normals_;
  std::uint32_t n_tensors_ = 0;
};

struct PlannedTensor {
  TensorType type;
  std::uint64_t rows;
  std::uint64_t cols;
};

// The file's header, and what its tensors are to be filled with, in the same order.
struct Plan {
  gguf::Writer header;
  std::vector<PlannedTensor> tensors;

  void add(const std::string& name, TensorType type, std::uint64_t rows, std::uint64_t cols) {
    const std::array<std::uint64_t, 2> dims{cols, rows};
    const quant::TypeInfo& info = quant::info(type);
    header.add_tensor(name, std::span(dims).first(rows == 1 ? 1 : 2), info.id, info.n_bytes(rows, cols));
    tensors.push_back({type, rows, cols});
  }
};

void add_keys(gguf::Writer& header, const SyntheticShape& s) {
  const auto key = [&](std::string_view suffix) { return std::string(s.architecture).append(suffix); };
  const auto add = [&](std::string_view suffix, std::size_t value) {
    header.add(key(suffix), static_cast<std::uint32_t>(value));
  };
  header.add("general.architecture", s.architecture);
  header.add("general.name", "synthetic " + std::string(s.name));
  header.add(kI2sLayoutKey, name_of(I2sLayout::x86));  // which random weights don't show
  add(".vocab_size", s.vocab);
  add(".context_length", s.context_length);
  add(".embedding_length", s.hidden);
  add(".block_count", s.n_layers);
  add(".feed_forward_length", s.ffn);
  add(".rope.dimension_count", s.hidden / s.n_heads);
  header.add(key(".rope.freq_base"), s.rope_theta);
  add(".attention.head_count", s.n_heads);
  add(".attention.head_count_kv", s.n_kv_heads);
  header.add(key(".attention.layer_norm_rms_epsilon"), 1e-5F);

  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < s.vocab; ++i) tokens.push_back("t" + std::to_string(i));
  header.add("tokenizer.ggml.model", "gpt2");
  header.add("tokenizer.ggml.pre", "llama-bpe");
  header.add_array("tokenizer.ggml.tokens", tokens);
}

Plan make_plan(const SyntheticShape& s) {
  const std::size_t kv_dim = s.hidden / s.n_heads * s.n_kv_heads;
  Plan plan;
  add_keys(plan.header, s);
  plan.add("token_embd.weight", TensorType::f16, s.vocab, s.hidden);
  for (std::size_t i = 0; i < s.n_layers; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    plan.add(layer + "attn_norm.weight", TensorType::f32, 1, s.hidden);
    plan.add(layer + "attn_q.weight", TensorType::i2_s, s.hidden, s.hidden);
    plan.add(layer + "attn_k.weight", TensorType::i2_s, kv_dim, s.hidden);
    plan.add(layer + "attn_v.weight", TensorType::i2_s, kv_dim, s.hidden);
    plan.add(layer + "attn_sub_norm.weight", TensorType::f32, 1, s.hidden);
    plan.add(layer + "attn_output.weight", TensorType::i2_s, s.hidden, s.hidden);
    plan.add(layer + "ffn_norm.weight", TensorType::f32, 1, s.hidden);
    plan.add(layer + "ffn_gate.weight", TensorType::i2_s, s.ffn, s.hidden);
    plan.add(layer + "ffn_up.weight", TensorType::i2_s, s.ffn, s.hidden);
    plan.add(layer + "ffn_sub_norm.weight", TensorType::f32, 1, s.ffn);
    plan.add(layer + "ffn_down.weight", TensorType::i2_s, s.hidden, s.ffn);
  }
  plan.add("output_norm.weight", TensorType::f32, 1, s.hidden);
  return plan;
}

}  // namespace

std::span<const SyntheticShape> synthetic_presets() { return kPresets; }

const SyntheticShape* find_synthetic_preset(std::string_view name) {
  const auto found = std::ranges::find(kPresets, name, &SyntheticShape::name);
  return found == kPresets.end() ? nullptr : &*found;
}

std::string synthetic_preset_names() {
  std::string names;
  for (const SyntheticShape& s : kPresets) names.append(names.empty() ? "" : ", ").append(s.name);
  return names;
}

AnonymousMemory make_synthetic_model(const SyntheticShape& shape, std::uint64_t seed, ThreadPool& pool,
                                     const std::function<bool(double fraction)>& on_progress) {
  const Plan plan = make_plan(shape);
  AnonymousMemory memory(plan.header.file_size(), "the synthetic model");
  memory.prefer_huge_pages();
  auto* const file = static_cast<std::byte*>(memory.data());
  const std::vector<std::byte> header = plan.header.header();
  std::ranges::copy(header, file);

  Filler fill(seed, shape.embedding_deviation, pool, [&](std::uint64_t n_filled) {
    return !on_progress || on_progress(static_cast<double>(n_filled) / static_cast<double>(memory.size()));
  });
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const PlannedTensor& tensor = plan.tensors[i];
    std::byte* const data = file + plan.header.data_offset(i);
    if (tensor.type == TensorType::i2_s) {
      fill.ternary(data, tensor.rows, tensor.cols);
    } else if (tensor.type == TensorType::f16) {
      fill.embedding(data, tensor.rows * tensor.cols);
    } else {
      fill.norm(data, tensor.cols);
    }
  }
  return memory;
}

}  // namespace bitnet
