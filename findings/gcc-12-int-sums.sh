#!/usr/bin/env bash
# Debian 12's gcc-12 12.2.0-14+deb12u1 copies vectors of 32-bit sums about where they are kept as __m512i, which is what
# the intrinsics take and give: that is a vector of 64-bit numbers, and each intrinsic casts it to one of 32-bit numbers
# and back. In a loop that adds to sixteen sums, in thirty-two registers, one copy of a register stands beside each
# addition and two beside nearly each VPDPBUSD. Kept as a vector of ints, by the casts and builtins that the intrinsics
# are made of, the same loop has none. Processors that forget such moves early still read, decode and retire them.
#
# For ternary models: VNNI's sums are all that their kernels do. There an asm statement with "+v"(sum) adds in place
# (add_products() in src/kernels/avx512/ternary.h): so the products of the LM head's screen take two thirds of the time.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt's own user writes here
apt-get -qq download gcc-12=12.2.0-14+deb12u1 cpp-12=12.2.0-14+deb12u1 libisl23 libmpc3 libmpfr6 libgmp10 libzstd1 zlib1g \
  2>/dev/null || {
  echo "gcc-12 12.2.0-14+deb12u1 cannot be had here"
  exit 2
}
for package in *.deb; do dpkg -x "$package" .; done

cat >tile.c <<'C'
typedef int Ints __attribute__((vector_size(64), aligned(64)));
#ifdef AS_INTS
typedef Ints Vector;
#else
typedef long long Vector __attribute__((vector_size(64), aligned(64))); /* __m512i */
#endif

/* What _mm512_add_epi32, _mm512_and_si512 and _mm512_dpbusd_epi32 are in GCC's immintrin.h. */
#ifdef ADDS
#define ADD(sum, a, b) (Vector)((Ints)(sum) + (Ints)((a) & (b)))
#else
#define ADD(sum, a, b) (Vector)__builtin_ia32_vpdpbusd_v16si((Ints)(sum), (Ints)(a), (Ints)(b))
#endif

/* Two vectors of bytes times eight: sixteen sums. */
void tile(const Vector* a, const Vector* b, int n, const Vector* const* x, Vector* out) {
  Vector sum[8][2];
  for (int d = 0; d < 8; ++d) sum[d][0] = sum[d][1] = (Vector){};
  for (int i = 0; i < n; ++i) {
    const Vector first = a[i], second = b[i];
    for (int d = 0; d < 8; ++d) {
      const Vector values = x[d][i];
      sum[d][0] = ADD(sum[d][0], first, values);
      sum[d][1] = ADD(sum[d][1], second, values);
    }
  }
  for (int d = 0; d < 8; ++d) {
    out[2 * d] = sum[d][0];
    out[2 * d + 1] = sum[d][1];
  }
}
C

# Copies of one register to another in the one loop that remains, the last that is jumped back to, and its sums.
count() {
  LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu:$folder/lib/x86_64-linux-gnu \
    usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet -O3 -mavx512f -mavx512vnni "$@" tile.c -o tile.s
  awk '/^\.L[0-9]+:/ { label = $1; sub(":", "", label); at[label] = NR }
       { line[NR] = $0 }
       /^\tj[a-z]+\t\.L[0-9]+/ && ($2 in at) { begin = at[$2]; end = NR }
       END {
         for (i = begin; i <= end; ++i) {
           sums += line[i] ~ /vpdpbusd|vpaddd/
           copies += line[i] ~ /vmovdqa(32|64)?\t%zmm[0-9]+, %zmm[0-9]+/
         }
         print copies + 0, sums + 0
       }' tile.s
}

for kind in products additions; do
  options=()
  [[ $kind == products ]] || options=(-DADDS)
  read -r copies n < <(count "${options[@]}")
  read -r of_ints n_of_ints < <(count "${options[@]}" -DAS_INTS)
  echo "$n $kind: $copies copies of registers, and $of_ints where sums are vectors of ints"
  [[ $n == 16 && $n_of_ints == 16 && $copies -ge 16 && $of_ints == 0 ]] || {
    echo "changed: there were 30 beside 16 products, 16 beside 16 additions, and none where sums are vectors of ints"
    exit 1
  }
done
