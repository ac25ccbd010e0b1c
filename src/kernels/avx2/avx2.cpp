#include "kernels/avx2/avx2.h"

#include "kernels/avx2/attention_q8.h"
#include "kernels/avx2/decode.h"
#include "kernels/avx2/lanes.h"
#include "kernels/avx2/limits.h"
#include "kernels/avx2/matmul_ternary.h"
#include "kernels/avx2/screen.h"
#include "kernels/avx2/simd.h"
#include "kernels/avx2/sparse.h"
#include "kernels/generic/table.h"

namespace bitnet::kernels::avx2 {
namespace {

// VPMADDUBSW adds pairs of products in 16 bits. A lane is at most 2 * 2 * 128 = 512 in magnitude, so it never
// saturates, and the 64 of them that kBlock elements bring lie in [-32768, 32512]: no sum overflows before it
// is widened.
struct Dot {
  // How far ahead of its use a line of weights is asked for in each of the four streams: some 200 ns of work.
  // On a Zen 3 half of it measured 3 % slower, twice as much 40 %.
  static constexpr std::size_t kPrefetchBytes = 1024;
  // 9 sums, 3 vectors of codes, one of activations and one product fill 14 of the 16 registers, and 6 loads
  // feed 9 multiplications. 4 x 3 and 2 x 6 want a register more than there is, and spilling halves their
  // speed; 2 x 4 and 4 x 2 measured 15 and 30 % less.
  static constexpr std::size_t kTileRows = 3;
  static constexpr std::size_t kTileTokens = 3;

  static __m256i add(__m256i sum16, __m256i codes, __m256i a) {
    return _mm256_add_epi16(sum16, _mm256_maddubs_epi16(codes, a));
  }
  // To a sum of many that stay in registers: left to itself, the compiler adds products up among themselves
  // first, for which there are none, or copies sums about.
  [[gnu::always_inline]] static void add_in_place(__m256i& sum16, __m256i codes, __m256i a) {
    const __m256i products = _mm256_maddubs_epi16(codes, a);
    __asm__("vpaddw %1, %0, %0" : "+x"(sum16) : "x"(products));
  }
  static __m256i widen_add(__m256i sum32, __m256i sum16) {
    return _mm256_add_epi32(sum32, _mm256_madd_epi16(sum16, _mm256_set1_epi16(1)));
  }

  // Eight groups, four cache lines: the sum of four times the products grows by at most 2 * 2 * 8 * 128 =
  // 4096 in magnitude in each, and eight of them lie in [-32768, 32512].
  static constexpr std::size_t kGemvBlockBytes = 256;
  static __m256i widen_add(__m256i sum32, __m256i ones, __m256i fours) {
    return widen_add(sum32, _mm256_add_epi16(ones, _mm256_srai_epi16(fours, 2)));
  }
};

// Products of u and q, two neighbours added in 16 bits: with u up to 3 and 32 of them at most 32 * 2 * 3 *
// 128 in magnitude, with u up to 6 and 16 of them as much.
struct AddInWords {
  // Of the two streams of one token: 2048 reach three quarters of a Zen 4's read bandwidth, 1024 half of it,
  // and more than this no more than this, five sixths.
  static constexpr std::size_t kPrefetchBytes = 4608;
  static constexpr std::size_t kLinesInSum = 4;
  static __m256i add(__m256i sum16, __m256i u, __m256i q) {
    __m256i sum = _mm256_add_epi16(sum16, _mm256_maddubs_epi16(u, q));
    // Keeps the compiler from adding up products among themselves first: they find no registers.
    __asm__("" : "+x"(sum));
    return sum;
  }
  static __m256i add_narrow(__m256i sum32, __m256i sum16) { return Dot::widen_add(sum32, sum16); }
};

constexpr Kernels kTable =
    generic::make_table<F32x16, decode_i2_s>({.name = "avx2",
                                              .attention_q8 = generic::attention_q8<F32x16, PairDots>,
                                              .matmul_ternary = matmul_ternary<Dot>,
                                              .ternary_rows = ternary_rows<Dot>,
                                              .add_columns = add_columns<Dot>,
                                              .matmul_lanes = generic::matmul_lanes<Lanes<AddInWords>>,
                                              .upper_products = upper_products<Dot>,
                                              .five_bit_products = five_bit_products<Dot>,
                                              .bit_products = bit_products<Dot>,
                                              .read_all = read_all,
                                              .int8_products = int8_products});

}  // namespace

const Kernels& table() { return kTable; }

}  // namespace bitnet::kernels::avx2
