#include "model/synthetic/shut_gates.h"

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "base/half.h"
#include "bitnet/error.h"
#include "model/synthetic/shape.h"
#include "quant/i2_s.h"

namespace bitnet {
namespace {

using quant::i2_s::kGroup;
using quant::i2_s::kGroupBytes;

constexpr std::size_t kSteady = kGroup;  // channels: a group of every row of a matrix
// Of the gates, in their standard deviations: 64 % of them are then below zero.
constexpr double kShift = 0.38;
constexpr std::size_t kLoudEvery = 32;
constexpr float kLoudness = 5.0F;

// Gates have a deviation of sqrt(2/3 hidden) times their scale, from inputs of mean square 1.
double steady_input(std::size_t hidden) {
  return kShift * std::sqrt(2.0 / 3.0 * static_cast<double>(hidden)) / static_cast<double>(kSteady);
}

// Of the stream before a layer's feed-forward network: what attention and that network add has a mean square
// of 1 each.
double mean_square(const SyntheticShape& s, std::size_t layer) {
  const double of_embedding =
      static_cast<double>(s.embedding_deviation) * static_cast<double>(s.embedding_deviation);
  const double random_share = 1.0 - static_cast<double>(kSteady) / static_cast<double>(s.hidden);
  return of_embedding + random_share * static_cast<double>(2 * layer + 1);
}

template <typename T, typename Change>
void change(std::byte* at, Change new_value) {
  T value;
  std::memcpy(&value, at, sizeof value);
  value = new_value(value);
  std::memcpy(at, &value, sizeof value);
}

// All codes of a group, four times the same in a byte.
void set_group(std::byte* group, unsigned code) {
  std::memset(group, static_cast<int>(code * 0x55U), kGroupBytes);
}

}  // namespace

GateShuttingPart gate_shutting_part(const SyntheticShape& s, std::string_view name, std::size_t layer,
                                    std::size_t cols) {
  if (!s.shut_gates) return {};
  const double norm =
      steady_input(s.hidden) * std::sqrt(mean_square(s, layer)) / static_cast<double>(s.embedding_deviation);
  const std::array parts{
      std::pair{std::string_view("token_embd.weight"),
                GateShuttingPart{GateShutting::embedding, cols, s.embedding_deviation}},
      std::pair{std::string_view("ffn_gate.weight"), GateShuttingPart{GateShutting::gate, cols, 0}},
      std::pair{std::string_view("attn_output.weight"), GateShuttingPart{GateShutting::to_residual, cols, 0}},
      std::pair{std::string_view("ffn_down.weight"), GateShuttingPart{GateShutting::to_residual, cols, 0}},
      std::pair{std::string_view("ffn_norm.weight"),
                GateShuttingPart{GateShutting::norm_before, cols, static_cast<float>(norm)}},
      std::pair{std::string_view("ffn_sub_norm.weight"),
                GateShuttingPart{GateShutting::norm_after, cols, kLoudness}},
  };
  for (const auto& [of, part] : parts) {
    if (of == name) return part;
  }
  return {};
}

void shut_gates(const GateShuttingPart& part, std::uint64_t first, std::size_t n, std::byte* data) {
  constexpr unsigned kMinusOne = 0;
  constexpr unsigned kZero = 1;
  const std::uint64_t cols = part.cols;
  switch (part.what) {
    case GateShutting::none:
      return;
    case GateShutting::gate:
      for (std::size_t i = 0; i < n; i += kGroup) {
        if ((first + i) % cols < kSteady) set_group(data + i / 4, kMinusOne);
      }
      return;
    case GateShutting::to_residual:
      for (std::size_t i = 0; i < n; i += kGroup) {
        if ((first + i) / cols < kSteady) set_group(data + i / 4, kZero);
      }
      return;
    case GateShutting::embedding:
      for (std::size_t i = 0; i < n; ++i) {
        if ((first + i) % cols < kSteady)
          change<std::uint16_t>(data + 2 * i, [&](std::uint16_t) { return f32_to_f16(part.value); });
      }
      return;
    case GateShutting::norm_before:
      for (std::size_t i = 0; i < n && first + i < kSteady; ++i)
        change<float>(data + 4 * i, [&](float weight) { return weight * part.value; });
      return;
    case GateShutting::norm_after:
      for (std::size_t i = 0; i < n; ++i) {
        if ((first + i) % kLoudEvery == 0)
          change<float>(data + 4 * i, [&](float weight) { return weight * part.value; });
      }
      return;
  }
}

void check_gate_shutting(const SyntheticShape& s) {
  if (!s.shut_gates) return;
  const auto require = [&](bool holds, std::string_view option, const std::string& what) {
    if (!holds)
      throw OptionError("", option,
                        " " + what + ": " + std::string(s.name) +
                            " has its gates shut by weights of i2_s, an f16 embedding and norms of its own");
  };
  require(s.type == "i2_s", "type", "'" + std::string(s.type) + "' will not do");
  require(s.embedding_type == "f16", "embedding_type", "'" + std::string(s.embedding_type) + "' will not do");
  require(s.architecture == "bitnet-b1.58", "architecture",
          "'" + std::string(s.architecture) + "' will not do");
  require(s.hidden > kSteady, "hidden", std::to_string(s.hidden) + " is too little");
}

}  // namespace bitnet
