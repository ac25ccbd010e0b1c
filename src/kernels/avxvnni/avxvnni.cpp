#include "kernels/avxvnni/avxvnni.h"

#include "kernels/avx2/avx2.h"
#include "kernels/avx2/lanes.h"
#include "kernels/avx2/matmul_ternary.h"
#include "kernels/avx2/screen.h"
#include "kernels/avx2/sparse.h"

namespace bitnet::kernels::avxvnni {
namespace {

// VPDPBUSD adds four products to a 32-bit sum. A lane grows by at most 4 * 2 * 128 for 32 elements: no
// overflow before cols = 2^26.
struct Dot {
  // Further ahead than for AVX2: less work for a line, and these processors' memories deliver more at a time.
  static constexpr std::size_t kPrefetchBytes = 2048;
  // 12 sums, 2 vectors of codes and one of activations fill 15 of the 16 registers, and 8 loads feed 12
  // multiplications. On a Zen 5 2 x 5 and 3 x 3 measured 4 % less, 4 x 2 9 %.
  static constexpr std::size_t kTileRows = 2;
  static constexpr std::size_t kTileTokens = 6;

  static __m256i add(__m256i sum, __m256i codes, __m256i a) { return _mm256_dpbusd_avx_epi32(sum, codes, a); }
  // From registers: left to itself, the compiler loads the activations once for each product, which takes a
  // fifth of the speed where two loads are had at a time.
  [[gnu::always_inline]] static void add_in_place(__m256i& sum, __m256i codes, __m256i a) {
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(codes), "x"(a));
  }
  static __m256i widen_add(__m256i sum32, __m256i sum) { return _mm256_add_epi32(sum32, sum); }

  static constexpr std::size_t kGemvBlockBytes = std::size_t{1} << 20;  // whole rows
  static __m256i widen_add(__m256i sum32, __m256i ones, __m256i fours) {
    return widen_add(sum32, _mm256_add_epi32(ones, _mm256_srai_epi32(fours, 2)));
  }
};

// As in AVX-512: no row is long enough to overflow 32 bits.
struct AddInDwords {
  static constexpr std::size_t kPrefetchBytes = 4608;  // as measured with AVX2 and AVX-512
  static constexpr std::size_t kLinesInSum = 0;
  static __m256i add(__m256i sum, __m256i u, __m256i q) {
    Dot::add_in_place(sum, u, q);
    return sum;
  }
};

double int8_products(std::size_t rounds) {
  constexpr std::size_t kChains = 12;  // independent sums: more than latency times rate of any processor
  __m256i sum[kChains] = {};
  const __m256i codes = _mm256_set1_epi8(1);
  const __m256i activations = _mm256_set1_epi8(3);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (__m256i& s : sum)
      __asm__ volatile("%{vex%} vpdpbusd %2, %1, %0" : "+x"(s) : "x"(codes), "x"(activations));
  }
  return static_cast<double>(rounds) * kChains * 32;
}

Kernels make_table() {
  Kernels k = avx2::table();
  k.name = "avxvnni";
  k.matmul_ternary = avx2::matmul_ternary<Dot>;
  k.ternary_rows = avx2::ternary_rows<Dot>;
  k.add_columns = avx2::add_columns<Dot>;
  k.matmul_lanes = generic::matmul_lanes<avx2::Lanes<AddInDwords>>;
  k.upper_products = avx2::upper_products<Dot>;
  k.five_bit_products = avx2::five_bit_products<Dot>;
  k.bit_products = avx2::bit_products<Dot>;
  k.int8_products = int8_products;
  return k;
}

}  // namespace

const Kernels& table() {
  static const Kernels table = make_table();
  return table;
}

}  // namespace bitnet::kernels::avxvnni
