#include "convert/target_types.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/joined.h"

namespace bitnet::convert {
namespace {

using enum quant::TensorType;

struct TargetType {
  std::string_view name;
  quant::TensorType type;
  std::optional<std::uint32_t> file_type = std::nullopt;
};

constexpr std::array kTargets{
    TargetType{"i2_s", i2_s, 40},       TargetType{"tq1_0", tq1_0, 36},
    TargetType{"tq2_0", tq2_0, 37},     TargetType{"q2_0", q2_0_128, 41},
    TargetType{"q2_0-64", q2_0_64, 41}, TargetType{"pq2_0", pq2_0},
    TargetType{"ptq1_0", ptq1_0},       TargetType{"q1_0", q1_0, 40},
    TargetType{"qk256", qk256_ternary}, TargetType{"qk256-scales", qk256_scaled_ternary},
    TargetType{"bitnet32", bitnet32},   TargetType{"q4_0", q4_0, 2},
    TargetType{"q6_k", q6_k, 18},       TargetType{"q8_0", q8_0, 7},
    TargetType{"bf16", bf16, 32},       TargetType{"f16", f16, 1},
    TargetType{"f32", f32, 0},
};

}  // namespace

std::optional<quant::TensorType> find_target_type(std::string_view name) {
  const auto found = std::ranges::find(kTargets, name, &TargetType::name);
  if (found == kTargets.end()) return std::nullopt;
  return found->type;
}

std::string target_type_names() { return joined(kTargets, &TargetType::name); }

bool is_ternary_target(quant::TensorType type) {
  return quant::info(type).ternary || quant::info(type).coded != nullptr;
}

std::optional<std::uint32_t> file_type_of(quant::TensorType type) {
  const auto found = std::ranges::find(kTargets, type, &TargetType::type);
  return found == kTargets.end() ? std::nullopt : found->file_type;
}

std::string ternary_types_for(std::uint64_t cols) {
  std::vector<std::string_view> names;
  for (const TargetType& target : kTargets) {
    if (is_ternary_target(target.type) && cols % quant::info(target.type).block == 0) {
      names.push_back(target.name);
    }
  }
  return joined(names);
}

}  // namespace bitnet::convert
