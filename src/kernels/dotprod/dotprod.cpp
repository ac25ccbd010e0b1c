#include "kernels/dotprod/dotprod.h"

#include <arm_neon.h>

#include <cstddef>

#include "kernels/neon/lanes.h"
#include "kernels/neon/matmul_ternary.h"
#include "kernels/neon/neon.h"
#include "kernels/neon/screen.h"
#include "kernels/neon/sparse.h"

namespace bitnet::kernels::dotprod {
namespace {

// SDOT adds four products of bytes to a 32-bit sum, which grows by at most 4 * 32 * 128 with each vector: no
// overflow before cols = 2^21.
struct Dots {
  using Sum = int32x4_t;
  static Sum zero() { return vdupq_n_s32(0); }
  static Sum add(Sum sum, int8x16_t codes, int8x16_t a) { return vdotq_s32(sum, codes, a); }
  static int32x4_t widen_add(int32x4_t sum32, Sum sum) { return vaddq_s32(sum32, sum); }
  static constexpr std::size_t kBlock = std::size_t{1} << 24;  // whole rows

  using Quads = Sum;
  static Quads no_quads() { return zero(); }
  static Quads add_quads(Quads sum, int8x16_t codes, int8x16_t a) { return add(sum, codes, a); }

  // The two middle fields stay where they are, which saves their shifts: `fours` and `sixteens` gather as
  // many times their products.
  struct Row {
    Sum ones = zero();
    Sum fours = zero();
    Sum sixteens = zero();

    void add(uint8x16_t packed, const int8x16_t (&a)[4]) {
      ones = Dots::add(ones, neon::codes_of<0>(packed), a[0]);
      sixteens = Dots::add(sixteens, vreinterpretq_s8_u8(vandq_u8(packed, vdupq_n_u8(0x30))), a[1]);
      fours = Dots::add(fours, vreinterpretq_s8_u8(vandq_u8(packed, vdupq_n_u8(0x0C))), a[2]);
      ones = Dots::add(ones, neon::codes_of<3>(packed), a[3]);
    }
    int32x4_t added_to(int32x4_t sum32) const {
      return vaddq_s32(sum32, vaddq_s32(ones, vsraq_n_s32(vshrq_n_s32(fours, 2), sixteens, 4)));
    }
  };

  // Further ahead than without SDOT: less work for a line.
  static constexpr std::size_t kPrefetchBytes = 1024;
};

struct Lanes : neon::Lanes<Dots> {
  static constexpr std::size_t kTileTokens = 4;
  static constexpr std::size_t kGroupsOf4 = 1;
  static constexpr std::size_t kGroupsOf2 = 1;
  static constexpr std::size_t kGroupsOf1 = 2;

  static constexpr std::size_t kLinesInSum = 0;
  static Int add(Int sum, Int u, Int q) {
    return Dots::add(sum, vreinterpretq_s8_s32(u), vreinterpretq_s8_s32(q));
  }
};

double int8_products(std::size_t rounds) {
  constexpr std::size_t kChains = 16;  // independent sums: more than latency times rate of any processor
  int32x4_t sum[kChains] = {};
  const int8x16_t codes = vdupq_n_s8(1);
  const int8x16_t activations = vdupq_n_s8(3);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (int32x4_t& s : sum)
      __asm__ volatile("sdot %0.4s, %1.16b, %2.16b" : "+w"(s) : "w"(codes), "w"(activations));
  }
  return static_cast<double>(rounds) * kChains * 16;
}

Kernels make_table() {
  Kernels k = neon::table();
  k.name = "dotprod";
  k.matmul_ternary = neon::matmul_ternary<Dots>;
  k.ternary_rows = neon::ternary_rows<Dots>;
  k.add_columns = neon::add_columns<Dots>;
  k.matmul_lanes = generic::matmul_lanes<Lanes>;
  k.upper_products = neon::upper_products<Dots>;
  k.five_bit_products = neon::five_bit_products<Dots>;
  k.bit_products = neon::bit_products<Dots>;
  k.int8_products = int8_products;
  return k;
}

}  // namespace

const Kernels& table() {
  static const Kernels table = make_table();
  return table;
}

}  // namespace bitnet::kernels::dotprod
