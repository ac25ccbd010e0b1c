#!/usr/bin/env bash
# Debian 12's gcc-12 12.2.0-14+deb12u1: a file that is compiled at -O3 with a header precompiled at -O2 or -O1 is compiled
# at -O3, and the header used without a warning; but where the file includes <immintrin.h>, all that follows is compiled
# at the header's level. A loop over bytes that -O3 turns into vectors then goes byte by byte. The header may be empty.
#
# For ternary models: where one file of a library has its own -O3, for a loop that looks through a gigabyte of codes, and
# the library a precompiled header, an include of intrinsics anywhere below it takes that away in silence (conversions took
# a third longer). Intrinsics stand in files that do without the header or have its level (src/quant/pairs.cpp,
# src/kernels).
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

: >all.h
cat >any.c <<'C'
#ifdef WITH_INTRINSICS
#define _MM_MALLOC_H_INCLUDED /* it would want the C library's headers */
#include <immintrin.h>
#endif
unsigned char any(const unsigned char* bytes, long n) {
  unsigned char found = 0;
  for (long i = 0; i < n; ++i) found |= bytes[i] & bytes[i] >> 1;
  return found;
}
C

compile() {
  LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu:$folder/lib/x86_64-linux-gnu "$here/cc1" -quiet -I "$here/include" "$@"
}
# Whether the loop became one of vectors at -O3, with these options.
loop() { compile -O3 -Winvalid-pch "$@" any.c -o any.s && if grep -q xmm any.s; then echo vectors; else echo bytes; fi; }

seen=
for level in none O1 O2 O3; do
  rm -f all.h.gch
  [[ $level == none ]] || compile "-$level" all.h --output-pch=all.h.gch
  found="$(loop -include all.h) $(loop -include all.h -DWITH_INTRINSICS)"
  echo "header precompiled at: $level; the loop at -O3 goes by: ${found% *}, with <immintrin.h> by: ${found#* }"
  seen+="$level: $found; "
done
wanted="none: vectors vectors; O1: vectors bytes; O2: vectors bytes; O3: vectors vectors; "
[[ $seen == "$wanted" ]] || {
  echo "changed: it was $wanted"
  exit 1
}
