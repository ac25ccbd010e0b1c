// exp over the 16-lane float.
#pragma once

namespace bitnet::kernels::generic {

// x = n ln 2 + r with |r| <= 0.35, then the Taylor polynomial of degree 7 in r (first term left out: 6e-9)
// times 2^n. Relative error below 2e-7 on [-87, 88]; x outside is clamped to that range, so that results are
// normal numbers and never infinite. NaN stays NaN. exp(0) is exactly 1.
template <typename V>
inline V exp(const V& unclamped) {
  const V x = min(V::broadcast(88.0F), max(V::broadcast(-87.0F), unclamped));
  const V n = round_even(x * V::broadcast(0x1.715476p+0F));
  // ln 2 in two parts, the first short enough for n times it to be exact.
  V r = fma(n, V::broadcast(-0x1.62ep-1F), x);
  r = fma(n, V::broadcast(-0x1.0bfbe8p-15F), r);
  V p = V::broadcast(1.0F / 5040);
  p = fma(p, r, V::broadcast(1.0F / 720));
  p = fma(p, r, V::broadcast(1.0F / 120));
  p = fma(p, r, V::broadcast(1.0F / 24));
  p = fma(p, r, V::broadcast(1.0F / 6));
  p = fma(p, r, V::broadcast(0.5F));
  p = fma(p, r, V::broadcast(1.0F));
  p = fma(p, r, V::broadcast(1.0F));
  return p * exp2_whole(n);
}

}  // namespace bitnet::kernels::generic
