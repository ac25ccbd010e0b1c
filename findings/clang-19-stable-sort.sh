#!/usr/bin/env bash
# Debian 12's clang-19 1:19.1.7-3~deb12u1 with the same release's libstdc++-12-dev 12.2.0-14+deb12u1: a call of
# std::stable_sort is reported as a use of something deprecated (std::get_temporary_buffer), although that use stands in
# the library's own header, about which Clang otherwise says nothing: with -Wall -Werror it does not compile. std::sort
# does.
#
# Here: -Wno-deprecated-declarations for Clang in CMakeLists.txt, or -DBITNET_WERROR=ON would fail there.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt's own user writes here
clang=1:19.1.7-3~deb12u1
gcc=12.2.0-14+deb12u1
apt-get -qq download clang-19=$clang libclang-cpp19=$clang libllvm19=$clang libclang-common-19-dev=$clang \
  libstdc++-12-dev=$gcc libgcc-12-dev=$gcc libc6-dev linux-libc-dev libedit2 libz3-4 libxml2 libbsd0 libmd0 libtinfo6 \
  libicu72 2>/dev/null || {
  echo "clang-19 $clang and libstdc++-12-dev $gcc cannot be had here"
  exit 2
}
for package in *.deb; do dpkg -x "$package" .; done

# Whether a program that calls std::NAME compiles with warnings as errors.
compiles() {
  echo "#include <algorithm>
void f(int* begin, int* end) { std::$1(begin, end); }" >"$1.cpp"
  LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu:$folder/lib/x86_64-linux-gnu \
    usr/lib/llvm-19/bin/clang++ --sysroot="$folder" -std=c++20 -Wall -Werror -fsyntax-only "$1.cpp" 2>"$1.log"
}

sort=compiles
compiles sort || sort="does not compile"
stable_sort=compiles
compiles stable_sort || stable_sort="does not compile"
echo "std::sort $sort; std::stable_sort $stable_sort"
grep -h "error:" stable_sort.log sort.log | sed "s|.*/include/||" || true
[[ $sort == compiles && $stable_sort != compiles ]] &&
  grep -q "bits/stl_tempbuf.h.*'get_temporary_buffer<int>' is deprecated" stable_sort.log || {
  echo "changed: std::sort compiled, and std::stable_sort did not for the sake of get_temporary_buffer"
  exit 1
}
