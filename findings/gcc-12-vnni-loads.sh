#!/usr/bin/env bash
# Debian 12's gcc-12 12.2.0-14+deb12u1 at -O3 -mavxvnni: a vector that the source loads once and multiplies twice by
# _mm256_dpbusd_avx_epi32 is loaded by both VPDPBUSD, from memory, though registers are free: in the inner loop of a tile
# of 2 x 5 all ten have an operand in memory, 12 loads in place of 7. What makes the compiler forget where the vector came
# from (an empty asm statement that may change it) brings back one load, and so does the instruction in asm.
#
# For ternary models: the product of int8 activations with codes of two rows is such a loop. On a Zen 5, with two loads to
# two products in a cycle, prefill's products gained a fifth by it (src/kernels/avxvnni). llvm's clang 19 loads once.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt's own user writes here
apt-get -qq download gcc-12=12.2.0-14+deb12u1 cpp-12=12.2.0-14+deb12u1 libgcc-12-dev=12.2.0-14+deb12u1 libisl23 libmpc3 \
  libmpfr6 libgmp10 libzstd1 zlib1g 2>/dev/null || {
  echo "gcc-12 12.2.0-14+deb12u1 cannot be had here"
  exit 2
}
for package in *.deb; do dpkg -x "$package" .; done
here=usr/lib/gcc/x86_64-linux-gnu/12

cat >tile.c <<'C'
#define _MM_MALLOC_H_INCLUDED /* it would want the C library's headers */
#include <immintrin.h>
/* Two rows of codes times five tokens' activations. */
void tile(const __m256i* codes, const __m256i* activations, long n, __m256i* sums) {
  __m256i sum[5][2];
  for (int t = 0; t < 5; ++t) sum[t][0] = sum[t][1] = _mm256_setzero_si256();
  for (long i = 0; i < n; ++i) {
    const __m256i first = codes[i], second = codes[n + i];
#pragma GCC unroll 5
    for (int t = 0; t < 5; ++t) {
      __m256i a = activations[t * n + i];
#ifdef FORGET
      __asm__("" : "+x"(a));
#endif
      sum[t][0] = _mm256_dpbusd_avx_epi32(sum[t][0], first, a);
      sum[t][1] = _mm256_dpbusd_avx_epi32(sum[t][1], second, a);
    }
  }
  for (int t = 0; t < 5; ++t) {
    sums[2 * t] = sum[t][0];
    sums[2 * t + 1] = sum[t][1];
  }
}
C

# Products, and how many of them load an operand.
products() {
  LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu:$folder/lib/x86_64-linux-gnu \
    "$here/cc1" -quiet -I "$here/include" -O3 -mavx2 -mavxvnni "$@" tile.c -o tile.s
  echo "$(grep -c 'vpdpbusd' tile.s) $(grep -c 'vpdpbusd.*(' tile.s)"
}
seen="$(products), $(products -DFORGET)"
echo "products and those with an operand in memory: $seen (the second pair: with the asm statement)"
[[ $seen == "10 10, 10 0" ]] || {
  echo "changed: it was 10 10, 10 0"
  exit 1
}
