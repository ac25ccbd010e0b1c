#include "diagnostics/kernel_checks.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <random>
#include <utility>

#include "model/activations.h"
#include "model/kv_cache.h"
#include "quant/lanes.h"

namespace bitnet {
namespace {

using kernels::Kernels;

// Elements of a tensor that are multiplied, in whole rows: all of a small one, a part of a large one.
constexpr std::size_t kElements = std::size_t{1} << 18;
// Of the tensors that are not multiplied by int8, which the first table takes long for.
constexpr std::size_t kFloatElements = std::size_t{1} << 16;
constexpr std::size_t kBlockRows = 29;  // of the sampled stretches of rows: no multiple of any tile

// The standard's distributions differ between libraries; these numbers are the same everywhere.
class Random {
 public:
  explicit Random(std::string_view name) {
    std::seed_seq seeds(name.begin(), name.end());
    engine_.seed(seeds);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }
  // Between -1 and 1, the square of a uniform number: most are small and a few large, as activations are.
  std::vector<float> floats(std::size_t n, float spread = 1.0F) {
    std::vector<float> v(n);
    for (float& x : v) {
      const float uniform = static_cast<float>(engine_() >> 40) * 0x1p-23F - 1.0F;
      x = uniform * std::fabs(uniform) * spread;
    }
    return v;
  }

 private:
  std::mt19937_64 engine_;
};

struct Rows {
  std::size_t begin;
  std::size_t end;
};

// The first rows, the last, and some between.
std::vector<Rows> sample_rows(std::size_t rows, std::size_t cols, std::size_t max_elements, Random& random) {
  const std::size_t wanted = std::max(max_elements / cols, 2 * kBlockRows);
  if (rows <= wanted) return {{0, rows}};
  std::vector<Rows> all{{0, kBlockRows}, {rows - kBlockRows, rows}};
  for (std::size_t n = 2 * kBlockRows; n + kBlockRows <= wanted; n += kBlockRows) {
    const std::size_t begin = random.below(rows - kBlockRows);
    all.push_back({begin, begin + kBlockRows});
  }
  return all;
}

std::string shown(float value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string values(float got, float expected, const Kernels& reference) {
  return "gives " + shown(got) + " where " + std::string(reference.name) + " gives " + shown(expected);
}

// Runs `compute`, which fills an array of n floats, on every table.
template <typename Compute, typename Describe>
std::vector<std::string> compare_all(KernelTables tables, std::size_t n, Compute compute, Describe describe) {
  std::vector<std::string> differences(tables.size());
  std::vector<float> expected(n);
  compute(*tables.front(), expected.data());
  std::vector<float> got(n);
  for (std::size_t t = 1; t < tables.size(); ++t) {
    std::ranges::fill(got, 0.0F);
    compute(*tables[t], got.data());
    if (const auto at = first_difference(got, expected)) {
      differences[t] = describe(*at) + values(got[*at], expected[*at], *tables.front());
    }
  }
  return differences;
}

// Products of some rows with n_tokens rows of random activations.
using Multiply = std::function<void(const Kernels&, Rows, float* y, std::size_t stride)>;

std::vector<std::string> compare_products(KernelTables tables, std::span<const Rows> samples,
                                          std::size_t n_tokens, const Multiply& multiply) {
  std::vector<std::string> differences(tables.size());
  for (const Rows rows : samples) {
    const std::size_t n = rows.end - rows.begin;
    // A product writes y[t * stride + r] for every r of the whole matrix that it is asked for.
    std::vector<std::string> found = compare_all(
        tables, n_tokens * n,
        [&](const Kernels& k, float* y) {
          std::vector<float> whole(n_tokens * rows.end);
          multiply(k, rows, whole.data(), rows.end);
          for (std::size_t t = 0; t < n_tokens; ++t) {
            std::copy_n(whole.data() + t * rows.end + rows.begin, n, y + t * n);
          }
        },
        [&](std::size_t at) {
          return "row " + std::to_string(rows.begin + at % n) + ", token " + std::to_string(at / n) + " of " +
                 std::to_string(n_tokens) + ": ";
        });
    for (std::size_t t = 0; t < tables.size(); ++t) {
      if (differences[t].empty()) differences[t] = std::move(found[t]);
    }
  }
  return differences;
}

void merge(std::vector<std::string>& all, std::vector<std::string> more) {
  for (std::size_t t = 0; t < all.size(); ++t) {
    if (all[t].empty()) all[t] = std::move(more[t]);
  }
}

std::vector<std::string> compare_ternary(KernelTables tables, const quant::Matrix& w, std::string_view name) {
  Random random(name);
  std::vector<std::string> all(tables.size());
  const auto samples = sample_rows(w.rows, w.cols, kElements, random);
  for (const std::size_t n_tokens : {std::size_t{1}, std::size_t{5}}) {
    const std::size_t stride = (w.cols + 63) / 64 * 64;
    // Cache lines, as the engine's buffers have them.
    Buffer<std::int8_t> q(n_tokens * stride, "verify");
    std::vector<float> scale(n_tokens);
    std::vector<std::int32_t> sum(n_tokens);
    for (std::size_t t = 0; t < n_tokens; ++t) {
      tables.front()->quantize(random.floats(w.cols).data(), w.cols, stride, q.data() + t * stride, &scale[t],
                               &sum[t]);
    }
    const kernels::QuantizedRows x{q.data(), scale.data(), sum.data(), stride};
    merge(all, compare_products(tables, samples, n_tokens,
                                [&](const Kernels& k, Rows rows, float* y, std::size_t y_stride) {
                                  k.matmul_ternary(w, rows.begin, rows.end, x, n_tokens, {y, y_stride});
                                }));
  }
  return all;
}

// Activations rounded in blocks of columns, as the engine's buffers hold them.
struct RoundedBlocks {
  RoundedBlocks(const Kernels& kernels, std::size_t n_tokens, std::size_t cols, std::size_t block,
                Random& random)
      : input(n_tokens, cols, {.has_lanes = true, .block = block}) {
    for (std::size_t t = 0; t < n_tokens; ++t) {
      std::ranges::copy(random.floats(cols), input.row(t));
      input.quantize(kernels, input.row(t), t);
    }
  }
  ProductInput input;
};

// Whole groups of rows.
std::vector<Rows> sample_groups(const quant::Matrix& w, std::size_t max_elements, Random& random) {
  std::vector<Rows> samples = sample_rows(w.rows, w.cols, max_elements, random);
  constexpr std::size_t kRows = quant::lanes::kRows;
  for (Rows& rows : samples) {
    rows.begin = rows.begin / kRows * kRows;
    rows.end = std::min((rows.end + kRows - 1) / kRows * kRows, w.rows);
  }
  return samples;
}

std::vector<std::string> compare_lanes(KernelTables tables, const quant::Matrix& w, std::string_view name) {
  Random random(name);
  std::vector<std::string> all(tables.size());
  const auto samples = sample_groups(w, kElements, random);
  for (const std::size_t block : {std::size_t{32}, std::size_t{128}, w.cols}) {
    for (const std::size_t n_tokens : {std::size_t{1}, std::size_t{5}, std::size_t{19}}) {
      const RoundedBlocks x(*tables.front(), n_tokens, w.cols, block, random);
      merge(all,
            compare_products(
                tables, samples, n_tokens, [&](const Kernels& k, Rows rows, float* y, std::size_t stride) {
                  k.matmul_lanes(w, rows.begin, rows.end, x.input.blocks(0), n_tokens, {y, stride});
                }));
    }
  }
  return all;
}

// matmul_float, and matmul_ternary_f32 and matmul_lanes_f32, which are called alike.
std::vector<std::string> compare_float(KernelTables tables, const quant::Matrix& w, std::string_view name,
                                       decltype(Kernels::matmul_float) Kernels::*product) {
  Random random(name);
  std::vector<std::string> all(tables.size());
  const auto samples = w.type == quant::TensorType::lanes
                           ? sample_groups(w, kFloatElements, random)
                           : sample_rows(w.rows, w.cols, kFloatElements, random);
  for (const std::size_t n_tokens : {std::size_t{1}, std::size_t{3}}) {
    const std::vector<float> x = random.floats(n_tokens * w.cols);
    merge(all, compare_products(
                   tables, samples, n_tokens, [&](const Kernels& k, Rows rows, float* y, std::size_t stride) {
                     (k.*product)(w, rows.begin, rows.end, {x.data(), w.cols}, n_tokens, {y, stride});
                   }));
  }
  return all;
}

std::vector<std::string> compare_decoding(KernelTables tables, const quant::Matrix& w,
                                          std::string_view name) {
  Random random(name);
  std::vector<std::string> all(tables.size());
  for (const Rows rows : sample_rows(w.rows, w.cols, kFloatElements, random)) {
    for (std::size_t row = rows.begin; row < rows.end; ++row) {
      merge(all, compare_all(
                     tables, w.cols,
                     [&](const Kernels& k, float* out) { k.decode_ternary(w, row, 0, w.cols, out); },
                     [&](std::size_t at) {
                       return "row " + std::to_string(row) + ", element " + std::to_string(at) + ": ";
                     }));
    }
  }
  return all;
}

std::string element(std::size_t at) { return "element " + std::to_string(at) + ": "; }

std::vector<std::string> compare_quantization(KernelTables tables, std::size_t n, std::string_view name) {
  const std::vector<float> x = Random(name).floats(n, 8.0F);
  const std::size_t padded = (n + 63) / 64 * 64;
  return compare_all(
      tables, padded + 2,
      [&](const Kernels& k, float* out) {
        Buffer<std::int8_t> q(padded, "verify");
        std::int32_t sum = 0;
        k.quantize(x.data(), n, padded, q.data(), &out[padded], &sum);
        out[padded + 1] = static_cast<float>(sum);  // below 2^24 in any known model
        std::copy_n(q.data(), padded, out);
      },
      [&](std::size_t at) {
        return at < padded ? element(at) : std::string(at == padded ? "the scale: " : "the sum: ");
      });
}

std::vector<std::string> compare_block_quantization(KernelTables tables, std::size_t n,
                                                    std::string_view name) {
  const std::vector<float> x = Random(name).floats(n, 8.0F);
  const std::size_t padded = (n + 63) / 64 * 64;
  const std::size_t n_parts = padded / kernels::QuantizedBlocks::kPart;
  return compare_all(
      tables, padded + 2 * n_parts,
      [&](const Kernels& k, float* out) {
        Buffer<std::int8_t> q(padded, "verify");
        std::vector<std::int32_t> minus_sums(n_parts);
        float scale = 0;
        std::int32_t sum = 0;
        k.quantize_blocks(x.data(), n, 32, padded, {q.data(), out + padded, minus_sums.data(), &scale, &sum});
        std::copy_n(q.data(), padded, out);
        std::ranges::transform(minus_sums, out + padded + n_parts,
                               [](std::int32_t v) { return static_cast<float>(v); });
      },
      [&](std::size_t at) {
        if (at < padded) return element(at);
        const std::size_t part = (at - padded) % n_parts;
        return (at < padded + n_parts ? "the unit of block " : "the sum of block ") + std::to_string(part) +
               ": ";
      });
}

// Of the last two tokens that see up to n_keys keys and of two kv heads, together, with each type of the
// cache, which each table fills for itself.
std::vector<std::string> compare_attention(KernelTables tables, const Config& c, std::size_t n_keys) {
  constexpr std::size_t kTokens = 2;
  constexpr std::size_t kHeads = 2;
  static constexpr std::array<std::string_view, 3> kTypes{"f16", "f32", "q8"};
  Random random("attention " + std::to_string(n_keys));
  Config one = c;
  one.n_layers = 1;
  one.n_kv_heads = kHeads;
  const std::size_t d = c.head_dim;
  const std::size_t group = c.n_heads / c.n_kv_heads;
  const std::size_t n_rows = kTokens * kHeads * group;
  const std::size_t n_stored = n_keys + kTokens;
  const std::vector<float> q = random.floats(n_rows * d, 4.0F);
  const std::vector<float> k = random.floats(n_stored * kHeads * d, 4.0F);
  const std::vector<float> v = random.floats(n_stored * kHeads * d);
  return compare_all(
      tables, kTypes.size() * n_rows * d,
      [&](const Kernels& table, float* out) {
        for (const kernels::CacheType type :
             {kernels::CacheType::f16, kernels::CacheType::f32, kernels::CacheType::q8}) {
          const KvCache cache(one, n_stored, type);
          for (std::size_t i = 0; i < n_stored * kHeads; ++i) {
            cache.store_key(table, 0, i % kHeads, i / kHeads, k.data() + i * d);
            cache.store_value(table, 0, i % kHeads, i / kHeads, v.data() + i * d);
          }
          table.attention(type)({.q = q.data(),
                                 .k = cache.keys(0, 0),
                                 .v = cache.values(0, 0),
                                 .n_queries = group,
                                 .n_keys = n_keys,
                                 .head_dim = d,
                                 .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(d))),
                                 .out = out,
                                 .block_stride = cache.block_stride(),
                                 .n_kv_heads = kHeads,
                                 .head_stride = cache.head_stride(),
                                 .n_tokens = kTokens,
                                 .token_stride = kHeads * group * d});
          out += n_rows * d;
        }
      },
      [&](std::size_t at) {
        return std::string(kTypes[at / (n_rows * d)]) + " cache, row " + std::to_string(at / d % n_rows) +
               ": ";
      });
}

// Those that work on one row: exp, add, both gates, rounding to f16.
std::vector<std::string> compare_elementwise(KernelTables tables, std::size_t n) {
  Random random("elementwise " + std::to_string(n));
  const std::vector<float> x = random.floats(n, 20.0F);
  const std::vector<float> y = random.floats(n, 4.0F);
  static constexpr std::array<std::string_view, 5> kNames{"add", "exp", "relu2_mul", "silu_mul", "store_f16"};
  return compare_all(
      tables, kNames.size() * n,
      [&](const Kernels& k, float* out) {
        for (std::size_t i : {0U, 2U, 3U}) std::ranges::copy(x, out + i * n);
        k.add(out, y.data(), n);
        k.exp(x.data(), out + n, n);
        k.relu2_mul(out + 2 * n, y.data(), n);
        k.silu_mul(out + 3 * n, y.data(), n);
        std::vector<std::uint16_t> half(n);
        k.store_f16(x.data(), half.data(), n);
        std::ranges::copy(half, out + 4 * n);
      },
      [&](std::size_t at) { return std::string(kNames[at / n]) + ", " + element(at % n); });
}

std::vector<std::string> compare_rope(KernelTables tables, std::size_t head_dim) {
  Random random("rope");
  const std::vector<float> x = random.floats(head_dim, 4.0F);
  std::vector<float> cos(head_dim / 2);
  std::vector<float> sin(head_dim / 2);
  for (std::size_t i = 0; i < cos.size(); ++i) {
    cos[i] = static_cast<float>(std::cos(static_cast<double>(i)));
    sin[i] = static_cast<float>(std::sin(static_cast<double>(i)));
  }
  return compare_all(
      tables, 2 * head_dim,
      [&](const Kernels& k, float* out) {
        std::ranges::copy(x, out);
        std::ranges::copy(x, out + head_dim);
        k.rope_neox(out, cos.data(), sin.data(), head_dim);
        k.rope_norm(out + head_dim, cos.data(), sin.data(), head_dim);
      },
      [&](std::size_t at) {
        return std::string(at < head_dim ? "neox, " : "norm, ") + element(at % head_dim);
      });
}

class Collector {
 public:
  explicit Collector(const Model::Impl& model) : model_(model) {}

  std::vector<KernelCheck> collect() {
    const Weights& w = model_.weights;
    const Config& c = model_.config;
    for (std::size_t i = 0; i < w.layers.size(); ++i) add_layer(i, w.layers[i]);
    add_norm("output_norm.weight", w.output_norm, c.hidden);
    add_matrix(w.tied_output ? "token_embd.weight" : "output.weight", w.output);
    for (const std::size_t n : {c.hidden, c.ffn}) {
      const std::string name = "rows of " + std::to_string(n);
      add(KernelKind::elementwise, name, [n](KernelTables t) { return compare_elementwise(t, n); });
      add(KernelKind::quantize, name, [n, name](KernelTables t) { return compare_quantization(t, n, name); });
      if (n % kernels::QuantizedBlocks::kPart == 0) {
        add(KernelKind::quantize, name + ", in blocks",
            [n, name](KernelTables t) { return compare_block_quantization(t, n, name); });
      }
    }
    const std::size_t n = c.rope.n_rotated;
    add(KernelKind::rope, "heads of " + std::to_string(n),
        [n](KernelTables t) { return compare_rope(t, n); });
    for (const std::size_t n_keys : {1U, 15U, 64U, 65U, 300U}) {
      add(KernelKind::attention, std::to_string(n_keys) + " keys",
          [&c, n_keys](KernelTables t) { return compare_attention(t, c, n_keys); });
    }
    return std::move(checks_);
  }

 private:
  void add(KernelKind kernel, std::string where,
           std::function<std::vector<std::string>(KernelTables)> compare) {
    checks_.push_back({kernel, std::move(where), std::move(compare)});
  }

  void add_layer(std::size_t i, const LayerWeights& l) {
    const Config& c = model_.config;
    const std::string p = "blk." + std::to_string(i) + ".";
    add_norm(p + "attn_norm.weight", l.attn_norm, c.hidden);
    add_matrix(p + "attn_q.weight", l.attn_q);
    add_matrix(p + "attn_k.weight", l.attn_k);
    add_matrix(p + "attn_v.weight", l.attn_v);
    add_norm(p + "attn_q_norm.weight", l.attn_q_norm, c.head_dim);
    add_norm(p + "attn_k_norm.weight", l.attn_k_norm, c.head_dim);
    add_norm(p + "attn_sub_norm.weight", l.attn_sub_norm, c.q_dim());
    add_matrix(p + "attn_output.weight", l.attn_output);
    add_norm(p + "ffn_norm.weight", l.ffn_norm, c.hidden);
    const std::string of_experts = c.n_experts > 0 ? "_exps.weight" : ".weight";
    if (c.n_experts > 0) add_matrix(p + "ffn_gate_inp.weight", l.ffn_router);
    add_matrix(p + "ffn_gate" + of_experts, l.ffn_gate);
    add_matrix(p + "ffn_up" + of_experts, l.ffn_up);
    add_norm(p + "ffn_sub_norm.weight", l.ffn_sub_norm, c.ffn);
    add_matrix(p + "ffn_down" + of_experts, l.ffn_down);
  }

  void add_matrix(const std::string& name, const quant::Matrix& w) {
    if (w.type == quant::TensorType::lanes) {
      add(KernelKind::matmul_lanes, name, [&w, name](KernelTables t) { return compare_lanes(t, w, name); });
      add(KernelKind::matmul_lanes_f32, name,
          [&w, name](KernelTables t) { return compare_float(t, w, name, &Kernels::matmul_lanes_f32); });
      return;
    }
    if (!quant::info(w.type).ternary) {
      add(KernelKind::matmul_float, name,
          [&w, name](KernelTables t) { return compare_float(t, w, name, &Kernels::matmul_float); });
      return;
    }
    add(KernelKind::matmul_ternary, name, [&w, name](KernelTables t) { return compare_ternary(t, w, name); });
    add(KernelKind::matmul_ternary_f32, name,
        [&w, name](KernelTables t) { return compare_float(t, w, name, &Kernels::matmul_ternary_f32); });
    add(KernelKind::decode_ternary, name,
        [&w, name](KernelTables t) { return compare_decoding(t, w, name); });
  }

  void add_norm(const std::string& name, const float* weight, std::size_t n) {
    if (weight == nullptr) return;
    const float eps = model_.config.rms_eps;
    add(KernelKind::rms_norm, name, [=](KernelTables t) {
      const std::vector<float> x = Random(name).floats(n, 50.0F);
      return compare_all(
          t, n, [&](const Kernels& k, float* y) { k.rms_norm(x.data(), weight, eps, n, y); }, element);
    });
  }

  const Model::Impl& model_;
  std::vector<KernelCheck> checks_;
};

}  // namespace

std::optional<std::size_t> first_difference(std::span<const float> a, std::span<const float> b) {
  if (std::memcmp(a.data(), b.data(), a.size_bytes()) == 0) return std::nullopt;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i])) return i;
  }
  return std::nullopt;
}

std::vector<KernelCheck> kernel_checks(const Model::Impl& model) { return Collector(model).collect(); }

}  // namespace bitnet
