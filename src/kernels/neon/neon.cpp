#include "kernels/neon/neon.h"

#include "kernels/generic/table.h"
#include "kernels/neon/attention_q8.h"
#include "kernels/neon/decode.h"
#include "kernels/neon/lanes.h"
#include "kernels/neon/limits.h"
#include "kernels/neon/matmul_ternary.h"
#include "kernels/neon/screen.h"
#include "kernels/neon/simd.h"
#include "kernels/neon/sparse.h"

namespace bitnet::kernels::neon {
namespace {

// SMLAL adds products of bytes to sums of 16 bits.
struct WideningDots {
  using Sum = int16x8_t;
  static Sum zero() { return vdupq_n_s16(0); }
  static Sum add(Sum sum, int8x16_t codes, int8x16_t a) {
    return vmlal_high_s8(vmlal_s8(sum, vget_low_s8(codes), vget_low_s8(a)), codes, a);
  }
  static int32x4_t widen_add(int32x4_t sum32, Sum sum) { return vpadalq_s16(sum32, sum); }
  // Each vector brings two products a lane, of a code up to 2 at most 256 in magnitude: 127 fit.
  static constexpr std::size_t kBlock = 768;

  struct Quads {
    int16x8_t low;
    int16x8_t high;
  };
  static Quads no_quads() { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }
  static Quads add_quads(Quads sum, int8x16_t codes, int8x16_t a) {
    return {vmlal_s8(sum.low, vget_low_s8(codes), vget_low_s8(a)), vmlal_high_s8(sum.high, codes, a)};
  }
  static int32x4_t widen_add(int32x4_t sum32, Quads sum) {
    return vaddq_s32(sum32, vpaddq_s32(vpaddlq_s16(sum.low), vpaddlq_s16(sum.high)));
  }

  struct Row {
    Sum sum = zero();

    void add(uint8x16_t packed, const int8x16_t (&a)[4]) {
      sum = WideningDots::add(sum, codes_of<0>(packed), a[0]);
      sum = WideningDots::add(sum, codes_of<1>(packed), a[1]);
      sum = WideningDots::add(sum, codes_of<2>(packed), a[2]);
      sum = WideningDots::add(sum, codes_of<3>(packed), a[3]);
    }
    int32x4_t added_to(int32x4_t sum32) const { return widen_add(sum32, sum); }
  };

  static constexpr std::size_t kPrefetchBytes = 512;
};

// Sums of 16 bits take two registers for each four rows.
struct WideningLanes : Lanes<WideningDots> {
  using Narrow = WideningDots::Quads;
  static constexpr std::size_t kTileTokens = 2;
  static constexpr std::size_t kGroupsOf4 = 0;
  static constexpr std::size_t kGroupsOf2 = 1;
  static constexpr std::size_t kGroupsOf1 = 2;

  // Codes of up to 6, in lines of four vectors: 40 products of at most 768 in magnitude.
  static constexpr std::size_t kLinesInSum = 10;
  static Narrow no_products() { return WideningDots::no_quads(); }
  static Narrow add(Narrow sum, Int u, Int q) {
    return WideningDots::add_quads(sum, vreinterpretq_s8_s32(u), vreinterpretq_s8_s32(q));
  }
  static Int add_narrow(Int sum, Narrow products) { return WideningDots::widen_add(sum, products); }
};

constexpr Kernels kTable =
    generic::make_table<F32x16, decode_i2_s>({.name = "neon",
                                              .attention_q8 = generic::attention_q8<F32x16, LongDots>,
                                              .matmul_ternary = matmul_ternary<WideningDots>,
                                              .ternary_rows = ternary_rows<WideningDots>,
                                              .add_columns = add_columns<WideningDots>,
                                              .matmul_lanes = generic::matmul_lanes<WideningLanes>,
                                              .upper_products = upper_products<WideningDots>,
                                              .five_bit_products = five_bit_products<WideningDots>,
                                              .bit_products = bit_products<WideningDots>,
                                              .read_all = read_all,
                                              .int8_products = int8_products});

}  // namespace

const Kernels& table() { return kTable; }

}  // namespace bitnet::kernels::neon
