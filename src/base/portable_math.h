// log, exp, pow, sin and cos in double from IEEE additions, multiplications and divisions alone, so that
// tables made with them hold the same bits on every machine. The C library's own differ in the last place
// between processors.
#pragma once

namespace bitnet {

// For finite x > 0. Relative error below 1e-15 (absolute below 1e-15 near 1).
double portable_log(double x);

// For |x| <= 700. Relative error below 1e-15.
double portable_exp(double x);

// base^exponent for base > 0 and |exponent * log(base)| <= 700. Relative error below 1e-14 for results in
// [1e-12, 1].
double portable_pow(double base, double exponent);

struct SinCos {
  double sin;
  double cos;
};

// For 0 <= x <= 2^24 radians. Absolute error below 1e-14.
SinCos portable_sincos(double x);

}  // namespace bitnet
