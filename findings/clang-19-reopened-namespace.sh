#!/usr/bin/env bash
# Debian 12's clang-19 1:19.1.7-3~deb12u1 and g++-12 12.2.0-14+deb12u1 disagree about a namespace that a header makes
# visible, namespace [[gnu::visibility("default")]] api, under -fvisibility=hidden. Where the source file opens it again
# without the attribute, as one writes it, Clang hides the free functions that the header declares and that are defined
# there; member functions of the header's classes stay visible, and so does a function that is defined by its full name
# outside (void api::f() {}). With g++ all are visible. So a shared library that exports by such a namespace links with
# everything when GCC built it, and lacks every free function when Clang did; nothing is said until a program is linked.
#
# Here: BITNET_API stands at each free function as well as at the namespaces of include/bitnet/ (export.h), and the test
# install.other_kind links a program with the shared library.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt's own user writes here
clang=1:19.1.7-3~deb12u1
gcc=12.2.0-14+deb12u1
apt-get -qq download clang-19=$clang libclang-cpp19=$clang libllvm19=$clang g++-12=$gcc gcc-12=$gcc cpp-12=$gcc \
  libedit2 libz3-4 libxml2 libbsd0 libmd0 libtinfo6 libicu72 libisl23 libmpc3 libmpfr6 libgmp10 libzstd1 zlib1g \
  2>/dev/null || {
  echo "clang-19 $clang and g++-12 $gcc cannot be had here"
  exit 2
}
for package in *.deb; do dpkg -x "$package" .; done

cat >api.h <<'C'
namespace [[gnu::visibility("default")]] api {
void declared();
struct Thing {
  void member();
};
}
C
cat >reopened.cpp <<'C'
#include "api.h"
namespace api {
void declared() {}
void Thing::member() {}
}
C
cat >by_full_name.cpp <<'C'
#include "api.h"
void api::declared() {}
void api::Thing::member() {}
C

# What a compiler hides of a file: the names that its assembly calls hidden.
hidden() {
  local compiler=usr/lib/llvm-19/bin/clang++
  [[ $1 == clang ]] || compiler=usr/bin/x86_64-linux-gnu-g++-12
  LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu:$folder/lib/x86_64-linux-gnu \
    "$compiler" -std=c++20 -fPIC -fvisibility=hidden -S "$2.cpp" -o - |
    sed -n 's/^[[:space:]]*\.hidden[[:space:]]*_ZN3api[0-9]*\([a-z]*\).*/\1/p' | sort | paste -sd' '
}

seen=""
for compiler in gcc clang; do
  for file in reopened by_full_name; do
    names=$(hidden $compiler $file)
    echo "$compiler, $file: hidden: ${names:-nothing}"
    seen+="$compiler $file ${names:-nothing};"
  done
done
[[ $seen == "gcc reopened nothing;gcc by_full_name nothing;clang reopened declared;clang by_full_name nothing;" ]] || {
  echo "changed: Clang alone had hidden the free function of the namespace that was opened again, and nothing else"
  exit 1
}
