#!/usr/bin/env bash
# Debian 12's libutf8proc-dev 2.8.0-1: its pkg-config file gives another version than the package and its header have,
# so a build that asks pkg-config for `libutf8proc >= 2.7` is told that there is none, beside a library of 2.8.0.
#
# Here: CMake asks for libutf8proc without a version, and token ids do not depend on which it is (tests/tokenizer).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt's own user writes here
apt-get -qq download libutf8proc-dev=2.8.0-1 2>/dev/null || {
  echo "libutf8proc-dev 2.8.0-1 cannot be had here"
  exit 2
}
dpkg -x libutf8proc-dev_*.deb .
header=$(sed -n 's/^#define UTF8PROC_VERSION_\(MAJOR\|MINOR\|PATCH\) \([0-9]*\).*/\2/p' usr/include/utf8proc.h | paste -sd.)
file=$(sed -n 's/^Version: *//p' usr/lib/*/pkgconfig/libutf8proc.pc)
echo "utf8proc.h: $header; libutf8proc.pc: $file"
[[ $header == 2.8.0 && $file == 2.6.0 ]] || {
  echo "changed: they were 2.8.0 and 2.6.0"
  exit 1
}
