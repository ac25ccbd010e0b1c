// Single kernels on a model's own tensors and shapes, one backend held against another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diagnostics/verify.h"
#include "model/model_impl.h"

namespace bitnet {

enum class KernelKind : std::uint8_t {
  matmul_ternary,
  matmul_ternary_f32,
  decode_ternary,
  matmul_lanes,
  matmul_lanes_f32,
  matmul_float,
  rms_norm,
  quantize,
  elementwise,
  rope,
  attention
};
inline constexpr std::array<std::string_view, 11> kKernelNames{"ternary product, int8",
                                                               "ternary product, f32",
                                                               "ternary decoding",
                                                               "product in lanes, int8",
                                                               "product in lanes, f32",
                                                               "float product",
                                                               "RMSNorm",
                                                               "quantization",
                                                               "elementwise",
                                                               "rope",
                                                               "attention"};

struct KernelCheck {
  KernelKind kernel;
  std::string where;  // the tensor, or the shape
  // How each table's result differs from the first one's, in words; empty where it doesn't.
  std::function<std::vector<std::string>(KernelTables)> compare;
};

// All there are for a model, which must outlive them.
std::vector<KernelCheck> kernel_checks(const Model::Impl& model);

// The first place where two arrays of one length have other bits.
std::optional<std::size_t> first_difference(std::span<const float> a, std::span<const float> b);

}  // namespace bitnet
