#!/usr/bin/env bash
# Debian 12's clang-19 1:19.1.7-3~deb12u1 makes wrong code, at -O2 and -O3, of the plainest way to find the number of
# the largest magnitude: in a loop of `if (fabsf(v[i]) > fabsf(most)) most = v[i];` that it unrolls wholly it forgets
# the second fabsf where what stands first is the one kept, so that any magnitude beats a negative number. No option
# that loosens floating point is given; at -O1, or where the loop is too long to be unrolled, it is right. LLVM has it
# as issue 164617, https://github.com/llvm/llvm-project/issues/164617.
#
# For ternary models: a bitnet built by it at -O3 chose worse scales for Q6_K heads (1.87 % of the weights' RMS lost
# where it should be 1.66 %), which the test Q6_K.HaveLessErrorThanScalesByTheLargestValueAlone showed. Here
# extreme() in src/quant/block_format.h keeps the magnitude beside the number.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt's own user writes here
clang=1:19.1.7-3~deb12u1
apt-get -qq download clang-19=$clang libclang-cpp19=$clang libllvm19=$clang libclang-common-19-dev=$clang libedit2 libz3-4 \
  libxml2 libbsd0 libmd0 libtinfo6 libicu72 2>/dev/null || {
  echo "clang-19 $clang cannot be had here"
  exit 2
}
for package in *.deb; do dpkg -x "$package" .; done

cat >loop.c <<'C'
float __attribute__((noinline)) of_largest_magnitude(const float* v) {
  float most = 0;
  for (int i = 0; i < 2; ++i) {
    if (__builtin_fabsf(v[i]) > __builtin_fabsf(most)) most = v[i];
  }
  return most;
}
C

# How often the function that is compiled at a level takes the absolute value of what it kept: a fabs of the second number
# alone is one too few.
n_fabs() {
  LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu:$folder/lib/x86_64-linux-gnu \
    usr/lib/llvm-19/bin/clang --target=x86_64-linux-gnu "-$1" -S -emit-llvm -o - loop.c | grep -c "call float @llvm.fabs"
}

echo "calls of fabs: $(n_fabs O1) at -O1, $(n_fabs O2) at -O2"
[[ $(n_fabs O1) -ge 2 && $(n_fabs O2) == 1 ]] || {
  echo "changed: at -O1 there were two, at -O2 only that of the second number"
  exit 1
}
