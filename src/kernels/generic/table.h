// Fills a backend's table from the float algorithms over its V and its own ternary product.
#pragma once

#include "kernels/generic/attention.h"
#include "kernels/generic/elementwise.h"
#include "kernels/generic/matmul_float.h"
#include "kernels/kernels.h"

namespace bitnet::kernels::generic {

template <typename V>
constexpr Kernels make_table(std::string_view name, decltype(Kernels::matmul_ternary) matmul_ternary) {
  return {
      .name = name,
      .rms_norm = rms_norm<V>,
      .add = add<V>,
      .exp = exp_row<V>,
      .relu2_mul = relu2_mul<V>,
      .silu_mul = silu_mul<V>,
      .rope_neox = rope_neox<V>,
      .rope_norm = rope_norm<V>,
      .store_f16 = store_f16<V>,
      .quantize = quantize<V>,
      .attention_f16 = attention<V, std::uint16_t>,
      .attention_f32 = attention<V, float>,
      .matmul_float = matmul_float<V>,
      .matmul_ternary = matmul_ternary,
  };
}

}  // namespace bitnet::kernels::generic
