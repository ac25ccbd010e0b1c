#include "base/portable_math.h"

#include <cassert>
#include <cmath>

namespace bitnet {
namespace {

constexpr double kLn2Hi = 0x1.62e42fefa38p-1;    // ln 2 to 42 bits: k * kLn2Hi is exact for |k| < 2^11
constexpr double kLn2Lo = 0x1.ef35793c7673p-45;  // the rest
constexpr double kHalfPiHi = 0x1.921fb54p+0;     // pi/2 in three parts of 29, 29 and 53 bits:
constexpr double kHalfPiMid = 0x1.10b4611p-30;   // k times the first two is exact for k < 2^24
constexpr double kHalfPiLo = 0x1.4c4c6628b80dcp-59;

}  // namespace

double portable_log(double x) {
  assert(x > 0 && std::isfinite(x));
  int k = 0;
  double m = std::frexp(x, &k);  // x = m * 2^k, m in [0.5, 1)
  if (m < 0x1.6a09e667f3bcdp-1) {
    m *= 2;
    --k;
  }
  // log m = 2 atanh(t), t = (m-1)/(m+1), |t| <= 0.172: the series' 12th term is below 1e-19.
  const double t = (m - 1) / (m + 1);
  const double t2 = t * t;
  double sum = 0;
  for (int n = 25; n >= 1; n -= 2) sum = sum * t2 + 1.0 / n;
  return k * kLn2Hi + (2 * t * sum + k * kLn2Lo);
}

double portable_exp(double x) {
  assert(std::fabs(x) <= 700);
  const double k = std::floor(x * 0x1.71547652b82fep+0 + 0.5);
  const double r = (x - k * kLn2Hi) - k * kLn2Lo;  // |r| <= 0.35: the 18th term is below 1e-24
  double sum = 1;
  for (int n = 18; n >= 1; --n) sum = 1 + sum * r / n;
  return std::ldexp(sum, static_cast<int>(k));
}

double portable_pow(double base, double exponent) { return portable_exp(exponent * portable_log(base)); }

SinCos portable_sincos(double x) {
  assert(x >= 0 && x <= 0x1p24);
  const double k = std::floor(x * 0x1.45f306dc9c883p-1 + 0.5);
  const double r = ((x - k * kHalfPiHi) - k * kHalfPiMid) - k * kHalfPiLo;  // |r| <= 0.79
  const double r2 = r * r;
  double s = 1;
  double c = 1;
  for (int n = 9; n >= 1; --n) {  // Taylor; the first term left out is below 1e-18
    s = 1 - s * r2 / ((2 * n) * (2 * n + 1));
    c = 1 - c * r2 / ((2 * n - 1) * (2 * n));
  }
  s *= r;
  switch (static_cast<long>(k) & 3) {
    case 0:
      return {s, c};
    case 1:
      return {c, -s};
    case 2:
      return {-s, -c};
    default:
      return {-c, s};
  }
}

}  // namespace bitnet
