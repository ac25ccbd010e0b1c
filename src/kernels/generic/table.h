// Fills a backend's table from the float algorithms over its V, its decoder and its own ternary product.
#pragma once

#include "kernels/generic/attention.h"
#include "kernels/generic/attention_q8.h"
#include "kernels/generic/elementwise.h"
#include "kernels/generic/float_panels.h"
#include "kernels/generic/matmul_float.h"
#include "kernels/generic/matmul_lanes_f32.h"
#include "kernels/generic/screen.h"
#include "kernels/kernels.h"

namespace bitnet::kernels::generic {

// What a backend writes for itself.
struct OwnKernels {
  std::string_view name;
  decltype(Kernels::attention_q8) attention_q8;
  decltype(Kernels::matmul_ternary) matmul_ternary;
  decltype(Kernels::ternary_rows) ternary_rows;
  decltype(Kernels::add_columns) add_columns;
  decltype(Kernels::matmul_lanes) matmul_lanes;
  decltype(Kernels::upper_products) upper_products;
  decltype(Kernels::five_bit_products) five_bit_products;
  decltype(Kernels::seven_bit_products) seven_bit_products = nullptr;
  decltype(Kernels::bit_products) bit_products;
  decltype(Kernels::read_all) read_all;
  decltype(Kernels::int8_products) int8_products;
};

template <typename V, decltype(Kernels::decode_ternary) decode>
constexpr Kernels make_table(const OwnKernels& own) {
  return {
      .name = own.name,
      .rms_norm = rms_norm<V>,
      .add = add<V>,
      .exp = exp_row<V>,
      .relu2_mul = relu2_mul<V>,
      .silu_mul = silu_mul<V>,
      .rope_neox = rope_neox<V>,
      .rope_norm = rope_norm<V>,
      .store_f16 = store_f16<V>,
      .store_q8 = store_q8<V>,
      .quantize = quantize<V>,
      .quantize_blocks = quantize_blocks<V>,
      .attention_f16 = attention<V, std::uint16_t>,
      .attention_f32 = attention<V, float>,
      .attention_q8 = own.attention_q8,
      .matmul_float = matmul_float<V>,
      .decode_float = decode_float<V>,
      .decode_ternary = decode,
      .matmul_ternary_f32 = matmul_ternary_f32<V, decode>,
      .matmul_ternary = own.matmul_ternary,
      .ternary_rows = own.ternary_rows,
      .add_columns = own.add_columns,
      .matmul_lanes = own.matmul_lanes,
      .matmul_lanes_f32 = matmul_lanes_f32<V>,
      .screen_row = screen_row<V>,
      .upper_products = own.upper_products,
      .five_bit_products = own.five_bit_products,
      .seven_bit_products = own.seven_bit_products,
      .bit_products = own.bit_products,
      .estimate_rows = estimate_rows<V>,
      .read_all = own.read_all,
      .int8_products = own.int8_products,
  };
}

}  // namespace bitnet::kernels::generic
