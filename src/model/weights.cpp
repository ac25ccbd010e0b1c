#include "model/weights.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <span>

#include "base/thread_pool.h"
#include "model/families/family.h"

namespace bitnet {
namespace {

LayerWeights read_layer(TensorReader& read, const Config& c, std::size_t i) {
  const std::string p = "blk." + std::to_string(i) + ".";
  LayerWeights l;
  l.attn_norm = read.vector(p + "attn_norm.weight", c.hidden);
  l.attn_q = read.linear(p + "attn_q", c.q_dim(), c.hidden);
  l.attn_k = read.linear(p + "attn_k", c.kv_dim(), c.hidden);
  l.attn_v = read.linear(p + "attn_v", c.kv_dim(), c.hidden);
  l.attn_output = read.linear(p + "attn_output", c.hidden, c.q_dim());
  l.ffn_norm = read.vector(p + "ffn_norm.weight", c.hidden);
  c.family->read_layer(read, c, p, l);
  return l;
}

RopeTable read_rope_table(TensorReader& read, const Config& c) {
  constexpr const char* kFactors = "rope_freqs.weight";
  if (!c.family->rope_factors || !read.has(kFactors)) return make_rope_table(c.rope, {});
  const std::span factors(read.vector(kFactors, c.rope.n_rotated / 2), c.rope.n_rotated / 2);
  for (std::size_t i = 0; i < factors.size(); ++i) {
    if (!(factors[i] >= 0.0625F && factors[i] <= 0x1p20F)) {
      read.refuse(kFactors, "factor " + std::to_string(i) + " is out of range");
    }
  }
  return make_rope_table(c.rope, factors);
}

// Names the first ternary code without meaning, or scale of a block that is not finite. Reading them all also
// brings the file's pages in, in parallel.
void check_data(const TensorReader& read, const gguf::File& file, const std::vector<bool>& is_sound,
                ThreadPool& pool) {
  for (const gguf::Tensor& t : file.tensors()) {
    if (t.part < is_sound.size() && is_sound[t.part]) continue;
    const TensorLayout layout = read.layout(t);
    const quant::TypeInfo& type = *layout.type;
    if (type.check.find_fault == nullptr) continue;
    const quant::Matrix w{type.type, layout.rows(), layout.cols(), t.extent.data(), 1.0F};
    constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    std::atomic<std::size_t> first{kNone};
    pool.parallel_for(w.rows, std::max<std::size_t>(1, (1U << 20) / w.cols),
                      [&](std::size_t begin, std::size_t end) {
                        const std::optional<std::size_t> bad = type.check.find_fault(w, begin, end);
                        if (!bad) return;
                        std::size_t seen = first.load();
                        while (*bad < seen && !first.compare_exchange_weak(seen, *bad)) {
                        }
                      });
    if (first != kNone) {
      read.refuse(
          t.name,
          std::string(type.check.unit) + " " + std::to_string(first) + " " + std::string(type.check.fault),
          type.check.hint);
    }
  }
}

}  // namespace

Weights read_weights(const gguf::File& file, const Config& c, const std::vector<bool>& is_sound,
                     ThreadPool& pool) {
  TensorReader read(file);
  Weights w;
  w.token_embd = read.matrix("token_embd.weight", c.vocab, c.hidden);
  w.output_norm = read.vector("output_norm.weight", c.hidden);
  for (std::size_t i = 0; i < c.n_layers; ++i) w.layers.push_back(read_layer(read, c, i));
  w.tied_output = c.family->tied_output && !read.has("output.weight");
  w.output = w.tied_output ? w.token_embd : read.linear("output", c.vocab, c.hidden);
  w.rope = read_rope_table(read, c);
  read.refuse_leftovers();
  check_data(read, file, is_sound, pool);
  w.converted = std::move(read.converted);
  return w;
}

}  // namespace bitnet
