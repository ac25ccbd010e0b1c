#include "convert/huggingface/rope_scaling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/printable.h"

namespace bitnet::convert {
namespace {

constexpr double kMaxFactor = 1e6;
constexpr std::uint64_t kMaxContext = std::uint64_t{1} << 30;

constexpr std::array<const char*, 2> kObjects{"rope_parameters", "rope_scaling"};
// What stands there of positions that are not stretched.
constexpr std::array<std::string_view, 3> kUnscaled{"rope_theta", "partial_rotary_factor",
                                                    "original_max_position_embeddings"};

// What names the kind: rope_type or, in older files, type.
const char* kind_field(const FieldReader& scaling) { return scaling.has("rope_type") ? "rope_type" : "type"; }

// "default" where positions are not stretched.
std::string kind_of(const FieldReader& scaling) {
  std::string kind = scaling.text(kind_field(scaling));
  if (scaling.has("type") && scaling.text("type") != kind)
    scaling.refuse_contradiction("rope_type", scaling, "type");
  if (!kind.empty()) return kind;
  for (const auto& [name, value] : scaling.fields().items()) {
    if (scaling.is_off(name) || std::ranges::find(kUnscaled, name) != kUnscaled.end()) continue;
    scaling.refuse("rope_type", "missing, and there is '" + printable(name, kMaxPrintedName) + "'",
                   "config.json is incomplete: download it again");
  }
  return "default";
}

// The context that positions are stretched from, if it is said.
std::optional<double> original_context(const FieldReader& scaling, const HfRope& rope) {
  const auto n = rope.original_context;
  if (n && (*n != std::floor(*n) || *n > static_cast<double>(kMaxContext))) {
    scaling.refuse("original_max_position_embeddings", "is no whole number, or too large");
  }
  return n;
}

// Llama 3.1's: long wavelengths are stretched by the factor, short ones are not, and those between by a
// mixture. Source: _compute_llama3_parameters in transformers' modeling_rope_utils.py.
std::vector<float> llama3_factors(const FieldReader& scaling, const HfRope& rope) {
  const double factor = scaling.number("factor", 1, kMaxFactor);
  const double low = scaling.number("low_freq_factor", 1e-3, kMaxFactor);
  const double high = scaling.number("high_freq_factor", 1e-3, kMaxFactor);
  const auto original = original_context(scaling, rope);
  if (!original) {
    scaling.refuse("original_max_position_embeddings", "missing",
                   "config.json is incomplete: download it again");
  }
  const double context = *original;
  if (high <= low) scaling.refuse("high_freq_factor", "is not above low_freq_factor");
  std::vector<float> factors;
  for (std::uint64_t i = 0; i < rope.head_dim / 2; ++i) {
    const double exponent = 2 * static_cast<double>(i) / static_cast<double>(rope.head_dim);
    const double wavelength = 2 * std::numbers::pi * std::pow(rope.theta, exponent);
    double divisor = 1;
    if (wavelength > context / low) {
      divisor = factor;
    } else if (wavelength >= context / high) {
      const double smooth = (context / wavelength - low) / (high - low);
      divisor = 1 / ((1 - smooth) / factor + smooth);
    }
    factors.push_back(static_cast<float>(divisor));
  }
  return factors;
}

void put_yarn(const FieldReader& scaling, const HfRope& rope, const std::string& prefix,
              gguf::KeyValues& keys) {
  const double factor = scaling.number("factor", 1, kMaxFactor);
  const double original = original_context(scaling, rope).value_or(static_cast<double>(rope.context_length));
  for (const char* field : {"mscale", "mscale_all_dim"}) scaling.check_off(field);
  if (!scaling.flag("truncate", true)) scaling.refuse("truncate", "false is not implemented");
  keys.set(prefix + "rope.scaling.type", "yarn");
  keys.set(prefix + "rope.scaling.factor", static_cast<float>(factor));
  keys.set(prefix + "rope.scaling.original_context_length", static_cast<std::uint32_t>(original));
  // What is given here stands for YaRN's own magnitude, in a GGUF file it multiplies it.
  if (const auto magnitude = scaling.optional_number("attention_factor", 1e-3, 1e3)) {
    const double own = 1 + 0.1 * std::log(factor);
    if (std::fabs(*magnitude / own - 1) > 1e-6) {
      keys.set(prefix + "rope.scaling.attn_factor", static_cast<float>(*magnitude / own));
    }
  }
  if (const auto beta = scaling.optional_number("beta_fast", 1e-6, kMaxFactor)) {
    keys.set(prefix + "rope.scaling.yarn_beta_fast", static_cast<float>(*beta));
  }
  if (const auto beta = scaling.optional_number("beta_slow", 1e-6, kMaxFactor)) {
    keys.set(prefix + "rope.scaling.yarn_beta_slow", static_cast<float>(*beta));
  }
}

}  // namespace

std::optional<double> find_rope_number(const FieldReader& config, std::string_view field, double low,
                                       double high) {
  std::optional<double> found = config.optional_number(field, low, high);
  std::optional<FieldReader> where;
  if (found) where.emplace(config);
  for (const char* name : kObjects) {
    const auto object = config.object(name);
    const auto here = object ? object->optional_number(field, low, high) : std::nullopt;
    if (!here) continue;
    if (found && *found != *here) where->refuse_contradiction(field, *object, field);
    if (!found) where.emplace(*object);
    found = here;
  }
  return found;
}

std::optional<FieldReader> find_rope_scaling(const FieldReader& config) {
  auto parameters = config.object("rope_parameters");
  auto scaling = config.object("rope_scaling");
  if (!parameters || !scaling) return parameters ? parameters : scaling;
  if (kind_of(*parameters) != kind_of(*scaling)) {
    const bool says_kind = parameters->has(kind_field(*parameters)) && scaling->has(kind_field(*scaling));
    if (says_kind) parameters->refuse_contradiction(kind_field(*parameters), *scaling, kind_field(*scaling));
    config.refuse_contradiction("rope_parameters", config, "rope_scaling");
  }
  for (const auto& [name, value] : scaling->fields().items()) {
    const Json* other = parameters->find(name);
    if (other != nullptr && *other != value) parameters->refuse_contradiction(name, *scaling, name);
  }
  return parameters;
}

std::vector<float> put_rope_scaling(const FieldReader& scaling, const HfRope& rope, const std::string& prefix,
                                    gguf::KeyValues& keys) {
  const std::string type = kind_of(scaling);
  if (type == "default") return {};
  if (type == "linear") {
    keys.set(prefix + "rope.scaling.type", "linear");
    keys.set(prefix + "rope.scaling.factor", static_cast<float>(scaling.number("factor", 1, kMaxFactor)));
    return {};
  }
  if (type == "yarn") {
    put_yarn(scaling, rope, prefix, keys);
    return {};
  }
  if (type == "llama3" && rope.takes_factors) return llama3_factors(scaling, rope);
  scaling.refuse(kind_field(scaling),
                 "'" + printable(type, kMaxPrintedName) + "' is not implemented for this architecture",
                 rope.takes_factors ? "linear, yarn and llama3 are" : "linear and yarn are");
}

}  // namespace bitnet::convert
