#include "model/synthetic/shape.h"

#include <algorithm>
#include <array>

#include "base/joined.h"
#include "bitnet/error.h"
#include "model/config.h"
#include "model/synthetic/random_blocks.h"
#include "model/synthetic/shut_gates.h"

namespace bitnet {
namespace {

constexpr SyntheticShape k2b4t{.name = "2b-4t",
                               .architecture = "bitnet-b1.58",
                               .n_layers = 30,
                               .hidden = 2560,
                               .n_heads = 20,
                               .n_kv_heads = 5,
                               .ffn = 6912,
                               .vocab = 128256,
                               .context_length = 4096,
                               .rope_theta = 500000.0F};

// The same with a best logit that stands out.
constexpr SyntheticShape peaked(std::string_view name, SyntheticShape shape) {
  shape.name = name;
  shape.embedding_deviation = 1.25F;
  return shape;
}

// Peaked, and with gates that are mostly shut.
constexpr SyntheticShape sparse(std::string_view name, SyntheticShape shape) {
  shape = peaked(name, shape);
  shape.shut_gates = true;
  return shape;
}

// Of maple its parameters are published, 20 billion of which one is active, 24 layers, and 8 of 256 experts;
// the widths are those that give these numbers.
constexpr std::array kPresets{
    k2b4t,
    peaked("2b-4t-peaked", k2b4t),
    sparse("2b-4t-sparse", k2b4t),
    SyntheticShape{.name = "0.7b",
                   .architecture = "bitnet",
                   .n_layers = 24,
                   .hidden = 1536,
                   .n_heads = 16,
                   .n_kv_heads = 16,
                   .ffn = 4096,
                   .vocab = 32002,
                   .context_length = 2048},
    SyntheticShape{.name = "bonsai-4b",
                   .architecture = "qwen3",
                   .n_layers = 36,
                   .hidden = 2560,
                   .n_heads = 32,
                   .n_kv_heads = 8,
                   .head_dim = 128,
                   .ffn = 9728,
                   .vocab = 151936,
                   .context_length = 32768,
                   .rope_theta = 1000000.0F,
                   .type = "q2_0",
                   .embedding_type = "q2_0"},
    SyntheticShape{.name = "bonsai-8b",
                   .architecture = "qwen3",
                   .n_layers = 36,
                   .hidden = 4096,
                   .n_heads = 32,
                   .n_kv_heads = 8,
                   .head_dim = 128,
                   .ffn = 12288,
                   .vocab = 151936,
                   .context_length = 32768,
                   .rope_theta = 1000000.0F,
                   .type = "q2_0",
                   .embedding_type = "q2_0",
                   .head_type = "q2_0"},
    SyntheticShape{.name = "falcon3-10b",
                   .architecture = "llama",
                   .n_layers = 40,
                   .hidden = 3072,
                   .n_heads = 12,
                   .n_kv_heads = 4,
                   .head_dim = 256,
                   .ffn = 23040,
                   .vocab = 131072,
                   .context_length = 32768,
                   .rope_theta = 1000042.0F,
                   .head_type = "f16"},
    SyntheticShape{.name = "llama3-8b",
                   .architecture = "llama",
                   .n_layers = 32,
                   .hidden = 4096,
                   .n_heads = 32,
                   .n_kv_heads = 8,
                   .ffn = 14336,
                   .vocab = 128256,
                   .context_length = 8192,
                   .rope_theta = 500000.0F,
                   .head_type = "f16"},
    SyntheticShape{.name = "maple-20b-a1b",
                   .architecture = "maple",
                   .n_layers = 24,
                   .hidden = 2048,
                   .n_heads = 16,
                   .n_kv_heads = 4,
                   .head_dim = 128,
                   .ffn = 512,
                   .vocab = 151936,
                   .context_length = 32768,
                   .rope_theta = 1000000.0F,
                   .type = "tq2_0",
                   .head_type = "f16",
                   .n_experts = 256,
                   .n_experts_used = 8},
    SyntheticShape{.name = "tiny",
                   .architecture = "bitnet-b1.58",
                   .n_layers = 2,
                   .hidden = 256,
                   .n_heads = 4,
                   .n_kv_heads = 2,
                   .ffn = 512,
                   .vocab = 320,
                   .context_length = 512},
};

constexpr std::array kFamilies{
    SyntheticFamily{.architecture = "bitnet-b1.58", .relu2 = true, .sub_norms = true},
    SyntheticFamily{.architecture = "bitnet", .sub_norms = true},
    SyntheticFamily{.architecture = "llama"},
    SyntheticFamily{.architecture = "qwen3", .head_norms = true, .pre = "qwen2"},
    SyntheticFamily{.architecture = "maple", .head_norms = true, .experts = true, .pre = "qwen2"},
};

void require(bool holds, std::string_view option, const std::string& what) {
  if (!holds) throw OptionError("", option, " " + what);
}

void require_between(std::size_t value, std::size_t least, std::size_t most, std::string_view option) {
  require(
      value >= least && value <= most, option,
      std::to_string(value) + " is not between " + std::to_string(least) + " and " + std::to_string(most));
}

void require_blocks(std::size_t width, std::string_view width_name, std::string_view type_name,
                    std::string_view type_option) {
  const SyntheticType* type = find_synthetic_type(type_name);
  require(type != nullptr, type_option,
          "'" + std::string(type_name) + "' is unknown; choose from " + synthetic_type_names());
  require(width % type->block() == 0, width_name,
          std::to_string(width) + " is not a multiple of " + std::to_string(type->block()) +
              ", the block of " + std::string(type->name));
}

}  // namespace

std::span<const SyntheticShape> synthetic_presets() { return kPresets; }

const SyntheticShape* find_synthetic_preset(std::string_view name) {
  const auto* const found = std::ranges::find(kPresets, name, &SyntheticShape::name);
  return found == kPresets.end() ? nullptr : found;
}

std::string synthetic_preset_names() { return joined(kPresets, &SyntheticShape::name); }

std::span<const SyntheticFamily> synthetic_families() { return kFamilies; }

const SyntheticFamily* find_synthetic_family(std::string_view architecture) {
  const auto* const found = std::ranges::find(kFamilies, architecture, &SyntheticFamily::architecture);
  return found == kFamilies.end() ? nullptr : found;
}

std::string synthetic_family_names() { return joined(kFamilies, &SyntheticFamily::architecture); }

void set_type(SyntheticShape& shape, std::string_view type) {
  for (std::string_view* other : {&shape.embedding_type, &shape.head_type}) {
    if (*other == shape.type) *other = type;
  }
  shape.type = type;
}

void check(const SyntheticShape& s) {
  const SyntheticFamily* family = find_synthetic_family(s.architecture);
  require(family != nullptr, "architecture",
          "'" + std::string(s.architecture) + "' is unknown; choose from " + synthetic_family_names());
  require_between(s.n_layers, 1, limits::kLayers, "n_layers");
  require_between(s.hidden, 32, limits::kWidth, "hidden");
  require_between(s.ffn, 32, limits::kWidth, "ffn");
  require_between(s.vocab, 2, limits::kVocab, "vocab");
  require_between(s.context_length, 1, limits::kContext, "context_length");
  require_between(s.n_heads, 1, limits::kHeads, "n_heads");
  require(s.n_kv_heads > 0 && s.n_heads % s.n_kv_heads == 0, "n_kv_heads",
          std::to_string(s.n_kv_heads) + " does not divide " + std::to_string(s.n_heads) + " heads");
  require(s.head_dim > 0 || s.hidden % s.n_heads == 0, "n_heads",
          std::to_string(s.n_heads) + " does not divide a hidden width of " + std::to_string(s.hidden) +
              "; say how wide a head is, or give another number");
  require(s.head_size() % 2 == 0 && s.head_size() >= 2 && s.head_size() <= limits::kHeadDim, "head_dim",
          std::to_string(s.head_size()) + " is not an even number between 2 and " +
              std::to_string(limits::kHeadDim));
  require(family->experts == (s.n_experts > 0), "n_experts",
          family->experts ? "0: maple is a mixture of experts; give a number"
                          : std::to_string(s.n_experts) + ": of these families maple alone has experts");
  if (s.n_experts > 0) {
    require_between(s.n_experts, 1, limits::kExperts, "n_experts");
    require_between(s.n_experts_used, 1, s.n_experts, "n_experts_used");
    require(!s.head_type.empty(), "head_type", "is missing: maple has a head of its own; give a type");
  }
  require_blocks(s.hidden, "hidden", s.type, "type");
  require_blocks(s.ffn, "ffn", s.type, "type");
  require_blocks(s.n_heads * s.head_size(), "n_heads", s.type, "type");
  require_blocks(s.hidden, "hidden", s.embedding_type, "embedding_type");
  if (!s.head_type.empty()) require_blocks(s.hidden, "hidden", s.head_type, "head_type");
  check_gate_shutting(s);
}

}  // namespace bitnet
