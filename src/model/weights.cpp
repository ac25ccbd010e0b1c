#include "model/weights.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/portable_math.h"
#include "base/printable.h"
#include "base/thread_pool.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

// Hands out the file's tensors by name and remembers which were taken.
class TensorReader {
 public:
  explicit TensorReader(const gguf::File& file) : file_(file), taken_(file.tensors().size(), false) {}

  [[noreturn]] void refuse(std::string_view tensor, std::string_view what, std::string_view hint = {}) const {
    const gguf::Tensor* t = file_.find_tensor(tensor);
    throw ModelError(printable(file_.part(t != nullptr ? t->part : 0).name(), kMaxPrintedPath),
                     "tensor " + printable(tensor, kMaxPrintedName) + ": " + std::string(what), hint);
  }

  bool has(const std::string& name) const { return file_.find_tensor(name) != nullptr; }

  // A tensor of the given shape, [rows, cols] with cols contiguous; rows = 1 stands for a vector.
  quant::Matrix matrix(const std::string& name, std::size_t rows, std::size_t cols) {
    const gguf::Tensor* t = file_.find_tensor(name);
    if (t == nullptr) refuse(name, "missing", "the file is incomplete: convert or download it again");
    if (t->dims != std::array<std::uint64_t, 4>{cols, rows, 1, 1}) {
      refuse(name,
             "shape " + shape_of(*t) + " where the metadata asks for [" + std::to_string(cols) +
                 (rows == 1 ? "" : ", " + std::to_string(rows)) + "]",
             "the file contradicts itself: convert or download it again");
    }
    taken_[static_cast<std::size_t>(t - file_.tensors().data())] = true;
    const quant::TypeInfo* type = quant::find_type(t->type);
    if (type == nullptr) refuse(name, quant::describe_refused_type(t->type));
    if (cols % type->block != 0) {
      refuse(name, std::string(type->name) + " rows of " + std::to_string(cols) +
                       " values are not whole blocks of " + std::to_string(type->block));
    }
    const std::uint64_t needed = type->n_bytes(rows, cols);
    if (needed > t->extent.size()) {
      refuse(name,
             "needs " + std::to_string(needed) + " bytes at offset " + std::to_string(t->file_offset) +
                 ", but only " + std::to_string(t->extent.size()) + " are there",
             "the file is cut short or damaged: download it again");
    }
    if (reinterpret_cast<std::uintptr_t>(t->extent.data()) % type->alignment != 0) {
      refuse(name, "data at offset " + std::to_string(t->file_offset) + " is not aligned for its type");
    }
    quant::Matrix w{type->type, rows, cols, t->extent.data(), 1.0F};
    w.scale = type->tensor_scale(w.data, rows, cols);
    if (!std::isfinite(w.scale))
      refuse(name, "its scale is not a finite number", "the file is damaged: download it again");
    return w;
  }

  // name.weight, multiplied by name.scale where the file has one.
  quant::Matrix linear(const std::string& stem, std::size_t rows, std::size_t cols) {
    quant::Matrix w = matrix(stem + ".weight", rows, cols);
    const std::string scale = stem + ".scale";
    if (has(scale)) w.scale *= vector(scale, 1)[0];
    if (!std::isfinite(w.scale)) refuse(scale, "times the weight's own scale is not a finite number");
    return w;
  }

  // Small vectors of finite floats; copied only if not F32 already.
  const float* vector(const std::string& name, std::size_t n) {
    const quant::Matrix w = matrix(name, 1, n);
    if (quant::info(w.type).ternary) refuse(name, "a norm or scale cannot be ternary");
    const float* values = reinterpret_cast<const float*>(w.data);
    if (w.type != quant::TensorType::f32) {
      converted.emplace_back(n);
      quant::info(w.type).decode_row(w, 0, converted.back().data());
      values = converted.back().data();
    }
    for (std::size_t i = 0; i < n; ++i) {
      if (!std::isfinite(values[i]))
        refuse(name, "value " + std::to_string(i) + " is not a finite number",
               "the file is damaged: download it again");
    }
    return values;
  }

  void refuse_leftovers() const {
    for (std::size_t i = 0; i < taken_.size(); ++i) {
      if (!taken_[i]) {
        refuse(file_.tensors()[i].name, "has no place in this architecture's graph",
               "ignoring it would give wrong text; use a file made for a supported architecture (" +
                   architecture_names() + ")");
      }
    }
  }

  std::vector<std::vector<float>> converted;

 private:
  static std::string shape_of(const gguf::Tensor& t) {
    std::string s = "[";
    for (std::uint32_t d = 0; d < t.n_dims; ++d) s += (d == 0 ? "" : ", ") + std::to_string(t.dims[d]);
    return s + "]";
  }

  const gguf::File& file_;
  std::vector<bool> taken_;  // [n_tensors]
};

LayerWeights read_layer(TensorReader& read, const Config& c, std::size_t i) {
  const std::string p = "blk." + std::to_string(i) + ".";
  LayerWeights l;
  l.attn_norm = read.vector(p + "attn_norm.weight", c.hidden);
  l.attn_q = read.linear(p + "attn_q", c.q_dim(), c.hidden);
  l.attn_k = read.linear(p + "attn_k", c.kv_dim(), c.hidden);
  l.attn_v = read.linear(p + "attn_v", c.kv_dim(), c.hidden);
  l.attn_output = read.linear(p + "attn_output", c.hidden, c.q_dim());
  l.ffn_norm = read.vector(p + "ffn_norm.weight", c.hidden);
  l.ffn_gate = read.linear(p + "ffn_gate", c.ffn, c.hidden);
  l.ffn_up = read.linear(p + "ffn_up", c.ffn, c.hidden);
  l.ffn_down = read.linear(p + "ffn_down", c.hidden, c.ffn);
  if (c.sub_norms) {
    l.attn_sub_norm = read.vector(p + "attn_sub_norm.weight", c.q_dim());
    l.ffn_sub_norm = read.vector(p + "ffn_sub_norm.weight", c.ffn);
  }
  return l;
}

std::vector<double> read_rope_frequencies(TensorReader& read, const Config& c) {
  std::vector<double> frequency(c.head_dim / 2);
  for (std::size_t i = 0; i < frequency.size(); ++i) {
    frequency[i] =
        portable_pow(c.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(c.head_dim));
  }
  if (c.architecture == "llama" &&
      read.has("rope_freqs.weight")) {  // Llama 3.1: long wavelengths are stretched
    const float* factor = read.vector("rope_freqs.weight", frequency.size());
    for (std::size_t i = 0; i < frequency.size(); ++i) {
      if (!(factor[i] >= 0.0625F && factor[i] <= 0x1p20F)) {
        read.refuse("rope_freqs.weight", "factor " + std::to_string(i) + " is out of range");
      }
      frequency[i] /= static_cast<double>(factor[i]);
    }
  }
  return frequency;
}

// Names the first ternary code without meaning, or scale of a block that is not finite. Reading them all also
// brings the file's pages in, in parallel.
void check_data(const TensorReader& read, const gguf::File& file, const std::vector<bool>& is_sound,
                ThreadPool& pool) {
  for (const gguf::Tensor& t : file.tensors()) {
    if (t.part < is_sound.size() && is_sound[t.part]) continue;
    const quant::TypeInfo& type = *quant::find_type(t.type);
    if (type.check.find_fault == nullptr) continue;
    const quant::Matrix w{type.type, t.dims[1], t.dims[0], t.extent.data(), 1.0F};
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
  w.tied_output = !read.has("output.weight");
  w.output = w.tied_output ? w.token_embd : read.linear("output", c.vocab, c.hidden);
  w.rope_frequency = read_rope_frequencies(read, c);
  read.refuse_leftovers();
  check_data(read, file, is_sound, pool);
  w.converted = std::move(read.converted);
  return w;
}

}  // namespace bitnet
