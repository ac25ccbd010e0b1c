// a * b + c, rounded once, where the instruction for it cannot be counted on. Without it the C library takes
// seventeen times as long as what is here; with it twice as long, for it is called for each.
//
// The product of two floats is exact as a double. Its sum with the third is rounded to odd: an inexact one
// goes to that of the two doubles around it whose last bit is 1. Rounding that to a float gives what rounding
// the exact sum would (S. Boldo, G. Melquiond, Emulation of FMA and correctly rounded sums: proved algorithms
// using rounding to odd, IEEE Transactions on Computers 57(4), 2008).
#pragma once

#include <cmath>

#if defined(__SSE2__) && !defined(__FMA__)
#include <emmintrin.h>
#define BITNET_FMA_BY_DOUBLES
#endif

namespace bitnet::kernels::scalar {

#ifdef BITNET_FMA_BY_DOUBLES

inline __m128d sum_to_odd(__m128d a, __m128d b) {
  const __m128d sum = _mm_add_pd(a, b);
  // What rounding took away (Knuth's two-sum); a NaN where the sum is infinite or none.
  const __m128d of_b = _mm_sub_pd(sum, a);
  const __m128d error = _mm_add_pd(_mm_sub_pd(a, _mm_sub_pd(sum, of_b)), _mm_sub_pd(b, of_b));
  const __m128d zero = _mm_setzero_pd();
  const __m128d is_inexact = _mm_or_pd(_mm_cmplt_pd(error, zero), _mm_cmpgt_pd(error, zero));
  const __m128i inexact = _mm_srli_epi64(_mm_castpd_si128(is_inexact), 63);
  // 1 where the sum was rounded away from zero.
  const __m128i away = _mm_and_si128(_mm_srli_epi64(_mm_castpd_si128(_mm_xor_pd(error, sum)), 63), inexact);
  return _mm_castsi128_pd(_mm_or_si128(_mm_sub_epi64(_mm_castpd_si128(sum), away), inexact));
}

// Of the lower two of the four.
inline __m128 fma_of_two(__m128 a, __m128 b, __m128 c) {
  return _mm_cvtpd_ps(sum_to_odd(_mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b)), _mm_cvtps_pd(c)));
}

// d[i] = a[i] * b[i] + c[i], for four.
inline void fma_of_four(const float* a, const float* b, const float* c, float* d) {
  const __m128 va = _mm_loadu_ps(a);
  const __m128 vb = _mm_loadu_ps(b);
  const __m128 vc = _mm_loadu_ps(c);
  const __m128 high = fma_of_two(_mm_movehl_ps(va, va), _mm_movehl_ps(vb, vb), _mm_movehl_ps(vc, vc));
  _mm_storeu_ps(d, _mm_movelh_ps(fma_of_two(va, vb, vc), high));
}

inline float fma(float a, float b, float c) {
  return _mm_cvtss_f32(fma_of_two(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)));
}

#undef BITNET_FMA_BY_DOUBLES

#else

inline float fma(float a, float b, float c) { return std::fma(a, b, c); }

inline void fma_of_four(const float* a, const float* b, const float* c, float* d) {
  for (int i = 0; i < 4; ++i) d[i] = std::fma(a[i], b[i], c[i]);
}

#endif

}  // namespace bitnet::kernels::scalar
