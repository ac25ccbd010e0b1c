#include "model/weights.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <span>

#include "base/atomic_extreme.h"
#include "base/thread_pool.h"
#include "model/families/family.h"

namespace bitnet {
namespace {

void multiply(const TensorReader& read, quant::Matrix& w, float factor, const std::string& name) {
  w.scale *= factor;
  if (!std::isfinite(w.scale)) read.refuse(name, "its scale times the model's factor is not a finite number");
}

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
  multiply(read, l.attn_output, c.residual_scale, p + "attn_output.weight");
  if (!c.family->mixture) multiply(read, l.ffn_down, c.residual_scale, p + "ffn_down.weight");
  return l;
}

std::span<const float> read_rope_factors(TensorReader& read, const Config& c, const char* name) {
  const std::span factors(read.vector(name, c.rope.n_rotated / 2), c.rope.n_rotated / 2);
  for (std::size_t i = 0; i < factors.size(); ++i) {
    if (!(factors[i] >= 0.0625F && factors[i] <= 0x1p20F)) {
      read.refuse(name, "factor " + std::to_string(i) + " is out of range");
    }
  }
  return factors;
}

RopeTable read_rope_table(TensorReader& read, const Config& c) {
  constexpr const char* kFactors = "rope_freqs.weight";
  constexpr const char* kLong = "rope_factors_long.weight";
  constexpr const char* kShort = "rope_factors_short.weight";
  if (c.family->rope_factors && read.has(kFactors)) {
    return make_rope_table(c.rope, read_rope_factors(read, c, kFactors));
  }
  if (!c.family->long_rope_factors || (!read.has(kLong) && !read.has(kShort)))
    return make_rope_table(c.rope, {});
  const std::span long_factors = read_rope_factors(read, c, kLong);
  const std::span short_factors = read_rope_factors(read, c, kShort);
  // MiniCPM4's are the same in both. Others would give a text's beginning another meaning once it is long.
  if (!std::ranges::equal(long_factors, short_factors)) {
    read.refuse(kLong,
                std::string("differs from ") + kShort + ": positions that depend on the context's length " +
                    "are not implemented",
                "this model cannot be run here");
  }
  return make_rope_table(c.rope, short_factors);
}

bool is_plain_float(const quant::TypeInfo& type) {
  using enum quant::TensorType;
  return type.type == f32 || type.type == f16 || type.type == bf16;
}

// Reads all that the file holds through, and so brings its pages in, in parallel.
class DataReader {
 public:
  DataReader(const TensorReader& read, const gguf::File& file,
             std::span<const std::span<const std::byte>> rare, ThreadPool& pool)
      : read_(read), file_(file), rare_(rare), pool_(pool) {}

  // Names the first ternary code without meaning, or scale of a block or value that is not finite.
  void check(const gguf::Tensor& t) const {
    const TensorLayout layout = read_.layout(t);
    const quant::TypeInfo& type = *layout.type;
    if (type.check.find_fault == nullptr) return;
    const quant::Matrix w{type.type, layout.rows(), layout.cols(), t.extent.data(), 1.0F};
    const bool is_rare =
        std::ranges::find(rare_, t.extent.data(), &std::span<const std::byte>::data) != rare_.end();
    constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    // Values: of rare matrices a thread keeps no more at a time.
    constexpr std::size_t kStretch = std::size_t{1} << 20;
    const std::size_t n_rows = std::max<std::size_t>(1, kStretch / w.cols);
    std::atomic<std::size_t> first{kNone};
    pool_.parallel_for(w.rows, n_rows, [&](std::size_t begin, std::size_t end) {
      for (; begin < end; begin += n_rows) {
        const std::size_t last = std::min(begin + n_rows, end);
        const auto bytes = rows_of(w, begin, last);
        if (is_rare) file_.populate(bytes);
        const std::optional<std::size_t> bad = type.check.find_fault(w, begin, last);
        if (is_rare) file_.give_back(bytes);
        if (bad) keep_least(first, *bad);
      }
    });
    if (first != kNone) {
      read_.refuse(
          t.name,
          std::string(type.check.unit) + " " + std::to_string(first) + " " + std::string(type.check.fault),
          type.check.hint);
    }
  }

 private:
  // Without the scale that some types have behind all rows.
  static std::span<const std::byte> rows_of(const quant::Matrix& w, std::size_t begin, std::size_t end) {
    const quant::TypeInfo& type = quant::info(w.type);
    const std::size_t row = type.n_bytes(1, w.cols) - type.n_bytes(0, w.cols);
    return {w.data + begin * row, (end - begin) * row};
  }

  const TensorReader& read_;
  const gguf::File& file_;
  std::span<const std::span<const std::byte>> rare_;
  ThreadPool& pool_;
};

}  // namespace

Weights read_weights(const gguf::File& file, const Config& c, const std::vector<bool>& is_sound,
                     std::span<const std::span<const std::byte>> rare, ThreadPool& pool) {
  TensorReader read(file);
  Weights w;
  w.token_embd = read.matrix("token_embd.weight", c.vocab, c.hidden);
  w.output_norm = read.vector("output_norm.weight", c.hidden);
  for (std::size_t i = 0; i < c.n_layers; ++i) w.layers.push_back(read_layer(read, c, i));
  w.tied_output = c.family->tied_output && !read.has("output.weight");
  w.output = w.tied_output ? w.token_embd : read.linear("output", c.vocab, c.hidden);
  // A matrix's scale multiplies its products: what has a factor needs no step of its own.
  multiply(read, w.output, c.logit_scale, w.tied_output ? "token_embd.weight" : "output.weight");
  multiply(read, w.token_embd, c.embedding_scale, "token_embd.weight");
  w.rope = read_rope_table(read, c);
  read.refuse_leftovers();
  const DataReader data(read, file, rare, pool);
  for (const gguf::Tensor& t : file.tensors()) {
    if (t.part < is_sound.size() && is_sound[t.part]) continue;
    const bool is_looked_up = t.extent.data() == w.token_embd.data && !w.tied_output;
    if (!is_looked_up || !is_plain_float(quant::info(w.token_embd.type))) data.check(t);
  }
  w.converted = std::move(read.converted);
  return w;
}

}  // namespace bitnet
