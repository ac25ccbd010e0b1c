#include "kernels/avx512/lanes.h"

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/ternary.h"
#include "kernels/generic/matmul_lanes.h"

namespace bitnet::kernels::avx512 {
namespace {

struct Lanes {
  using Int = __m512i;
  using Float = __m512;

  static constexpr std::size_t kLanes = 16;
  static constexpr std::size_t kParts = 1;  // vectors of a group
  static constexpr std::size_t kPrefetchBytes = 4608;
  // VPDPBUSD adds to 32 bits: u * q of four columns grows a lane by at most 4 * 6 * 128, a row of 2^18
  // columns to 2^28.
  static constexpr std::size_t kLinesInSum = 0;
  // From panels: 3 x 8 sums, 3 vectors of codes and one of activations fill 28 of the 32 registers, and 11
  // loads feed 24 multiplications.
  static constexpr std::size_t kPanelGroups = 3;
  static constexpr std::size_t kTileTokens = 8;
  // Straight from memory: with three groups the packed words would find no register.
  static constexpr std::size_t kGroupsOfTile = 2;
  static constexpr std::size_t kGroupsOf4 = 3;
  static constexpr std::size_t kGroupsOf2 = 3;
  // Four streams, and so far ahead: 97 % of a Zen 4's read bandwidth; three reach 70 %, half as far 75 %.
  static constexpr std::size_t kGroupsOf1 = 4;

  static Int load(const std::byte* p) { return _mm512_loadu_si512(p); }
  template <int n>
  static Int right(Int v) {
    if constexpr (n == 0) return v;
    return _mm512_srli_epi32(v, n);
  }
  template <int n>
  static Int left(Int v) {
    return _mm512_slli_epi32(v, n);
  }
  static Int bits(Int v, char mask) { return _mm512_and_si512(v, _mm512_set1_epi8(mask)); }
  static Int look_up(Int table, Int codes) { return _mm512_shuffle_epi8(table, codes); }
  static Int add(Int sum, Int u, Int q) {
    add_products(sum, u, q);
    return sum;
  }
  static Int broadcast(std::int32_t v) { return _mm512_set1_epi32(v); }

  static Float broadcast(float v) { return _mm512_set1_ps(v); }
  static Float load_f16(const std::byte* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Float to_float(Int v) { return _mm512_cvtepi32_ps(v); }
  static Float multiply(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float multiply_add(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static void store(float* p, Float v, std::size_t n) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1), v);
  }
};

}  // namespace

void matmul_lanes(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                  const QuantizedBlocks& x, std::size_t n_tokens, const OutputRows& y) {
  generic::matmul_lanes<Lanes>(w, row_begin, row_end, x, n_tokens, y);
}

}  // namespace bitnet::kernels::avx512
