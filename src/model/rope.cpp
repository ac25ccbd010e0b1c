#include "model/rope.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "base/portable_math.h"
#include "base/printable.h"
#include "model/key_reader.h"

namespace bitnet {
namespace {

// Far wider than any real model's; they keep the angles inside what portable_sincos takes.
constexpr double kMaxTheta = 1e12;
constexpr double kMaxFactor = 1e6;
constexpr double kMaxTurns = 1e6;
constexpr double kMaxMagnitude = 1e3;
constexpr std::uint64_t kMaxRotated = 4096;
constexpr std::uint64_t kMaxContext = 1U << 30;

constexpr std::array<std::string_view, 12> kKeys{"rope.dimension_count",
                                                 "rope.freq_base",
                                                 "rope.scaling.type",
                                                 "rope.scaling.factor",
                                                 "rope.scale_linear",  // the older name of the factor
                                                 "rope.scaling.attn_factor",
                                                 "rope.scaling.original_context_length",
                                                 "rope.scaling.finetuned",  // of no bearing
                                                 "rope.scaling.yarn_ext_factor",
                                                 "rope.scaling.yarn_attn_factor",
                                                 "rope.scaling.yarn_beta_fast",
                                                 "rope.scaling.yarn_beta_slow"};

// A factor of 0 stands for one that is not set.
double read_factor(const KeyReader& read) {
  const double factor = read.number("rope.scaling.factor").value_or(0);
  const double linear = read.number("rope.scale_linear").value_or(0);
  if (factor != 0 && linear != 0 && factor != linear) {
    read.refuse("rope.scaling.factor",
                digits_of(factor) + ", but " + read.key("rope.scale_linear") + " is " + digits_of(linear),
                "the file contradicts itself: convert the model again");
  }
  if (factor == 0 && linear == 0) return 1;
  const std::string_view key = factor != 0 ? "rope.scaling.factor" : "rope.scale_linear";
  return read.number_between(key, 1, kMaxFactor, 1);
}

// Which pair turns `turns` times over the original context; a fraction, below 0 or beyond the last pair too.
double pair_that_turns(const Rope& rope, double turns) {
  constexpr double kTwoPi = 6.283185307179586;
  return static_cast<double>(rope.n_rotated) * portable_log(rope.original_context / (turns * kTwoPi)) /
         (2 * portable_log(rope.theta));
}

double yarn_magnitude(const Rope& rope) { return 1 + 0.1 * portable_log(rope.factor); }

}  // namespace

std::span<const std::string_view> rope_keys() { return kKeys; }

Rope read_rope(const KeyReader& read, std::size_t head_dim, std::size_t context_length, bool takes_longrope,
               std::vector<std::string>& notes) {
  Rope rope;
  rope.n_rotated = read.optional_count("rope.dimension_count", kMaxRotated).value_or(head_dim);
  if (rope.n_rotated > head_dim || rope.n_rotated % 2 != 0) {
    read.refuse("rope.dimension_count", std::to_string(rope.n_rotated) +
                                            " is not an even number of values of a head of " +
                                            std::to_string(head_dim));
  }
  rope.theta = read.number_between("rope.freq_base", 1, kMaxTheta, 10000);

  // A file that names a factor and no kind means the linear one.
  const std::string_view kind = read.text("rope.scaling.type").value_or("linear");
  const bool is_longrope = kind == "longrope" && takes_longrope;  // its factors are tensors
  if (kind != "none" && kind != "linear" && kind != "yarn" && !is_longrope) {
    read.refuse("rope.scaling.type", "'" + printable(kind, kMaxPrintedName) + "' is not implemented",
                std::string("linear, yarn and none are") + (takes_longrope ? ", and longrope" : ""));
  }
  rope.factor = kind == "none" ? 1 : read_factor(read);
  rope.original_context = static_cast<double>(
      read.optional_count("rope.scaling.original_context_length", kMaxContext).value_or(context_length));
  rope.attn_factor = read.number_between("rope.scaling.attn_factor", 1 / kMaxMagnitude, kMaxMagnitude, 1);
  rope.magnitude_unscaled =
      read.number_between("rope.scaling.yarn_attn_factor", 1 / kMaxMagnitude, kMaxMagnitude, 1);
  rope.beta_fast = read.number_between("rope.scaling.yarn_beta_fast", 1 / kMaxTurns, kMaxTurns, 32);
  rope.beta_slow = read.number_between("rope.scaling.yarn_beta_slow", 1 / kMaxTurns, kMaxTurns, 1);
  // Below 0 it is not set.
  rope.extrapolation = read.number_between("rope.scaling.yarn_ext_factor", -1e9, 1, -1);
  if (rope.extrapolation < 0) rope.extrapolation = kind == "yarn" ? 1 : 0;
  if (rope.extrapolation != 0 && rope.theta == 1) {
    read.refuse("rope.freq_base", "1 gives all pairs the same frequency, and YaRN tells them apart by it");
  }
  if (rope.extrapolation != 0 && read.has("rope.scaling.yarn_attn_factor") &&
      std::fabs(rope.magnitude_unscaled - yarn_magnitude(rope)) > 1e-4) {
    notes.push_back("key " + read.key("rope.scaling.yarn_attn_factor") + ": " +
                    digits_of(rope.magnitude_unscaled) + " was not applied: where YaRN extrapolates, " +
                    "1 + 0.1 ln(factor) is, as in llama.cpp");
  }
  return rope;
}

RopeTable make_rope_table(const Rope& rope, std::span<const float> factors) {
  assert(factors.empty() || factors.size() == rope.n_rotated / 2);
  const auto n = static_cast<double>(rope.n_rotated);
  const bool extrapolates = rope.extrapolation != 0;
  // The pairs between which the mix goes from all to nothing.
  double first = 0;
  double width = 1;
  if (extrapolates) {
    first = std::max(0.0, std::floor(pair_that_turns(rope, rope.beta_fast)));
    const double last = std::min(n - 1, std::ceil(pair_that_turns(rope, rope.beta_slow)));
    width = std::max(0.001, last - first);
  }
  RopeTable table;
  for (std::size_t i = 0; i < rope.n_rotated / 2; ++i) {
    const auto pair = static_cast<double>(i);
    double frequency = portable_pow(rope.theta, -2.0 * pair / n);
    if (!factors.empty()) frequency /= static_cast<double>(factors[i]);
    const double mix = rope.extrapolation * (1 - std::clamp((pair - first) / width, 0.0, 1.0));
    if (rope.factor != 1) frequency *= (1 - mix) / rope.factor + mix;
    table.frequency.push_back(frequency);
  }
  table.magnitude = (extrapolates ? yarn_magnitude(rope) : rope.magnitude_unscaled) * rope.attn_factor;
  return table;
}

}  // namespace bitnet
