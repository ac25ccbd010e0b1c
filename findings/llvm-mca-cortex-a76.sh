#!/usr/bin/env bash
# llvm-mca of Debian 12's llvm-19 1:19.1.7-3~deb12u1 has no model of Cortex-A76: -mcpu=cortex-a76 gives, cycle for cycle,
# what cortex-a57 gives, a core of three generations before with one pipe for loads where it has two. The model of
# neoverse-n1, which is the same core for servers, knows that: 16 loads of 128 bits take half the cycles. The same
# release's llvm-14 1:14.0.6-12 takes that of cortex-a57 for neoverse-n1 and neoverse-v1 as well, and says so of neither.
#
# Here: bench/predict-cycles asks the newest llvm-mca, gives Neoverse N1 beside Cortex-A76, and its table says why.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt's own user writes here
new=1:19.1.7-3~deb12u1
old=1:14.0.6-12
apt-get -qq download llvm-19=$new libllvm19=$new llvm-14=$old libllvm14=$old libedit2 libz3-4 libxml2 libbsd0 libmd0 \
  libtinfo6 libicu72 libffi8 2>/dev/null || {
  echo "llvm-19 $new and llvm-14 $old cannot be had here"
  exit 2
}
for package in *.deb; do dpkg -x "$package" .; done

for i in {0..15}; do echo "ldr q$i, [x0, #$((16 * i))]"; done >loop.s

# Cycles of 100 rounds by the llvm-mca of LLVM $1 for processor $2.
cycles() {
  LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu:$folder/lib/x86_64-linux-gnu:$folder/usr/lib/llvm-$1/lib \
    "usr/lib/llvm-$1/bin/llvm-mca" -mtriple=aarch64-linux-gnu -mattr=+dotprod -mcpu="$2" -iterations=100 loop.s |
    sed -n 's/^Total Cycles: *//p'
}

for version in 14 19; do
  for cpu in cortex-a57 cortex-a76 neoverse-n1 neoverse-v1; do
    found=$(cycles $version $cpu)
    echo "llvm-mca $version, $cpu: $found cycles for 1600 loads"
    printf -v "found_${version}_${cpu//-/_}" %s "$found"
  done
done
((found_19_cortex_a76 == found_19_cortex_a57 && found_19_neoverse_n1 < found_19_cortex_a76 * 2 / 3 &&
  found_14_cortex_a76 == found_14_cortex_a57 && found_14_neoverse_n1 == found_14_cortex_a57 &&
  found_14_neoverse_v1 == found_14_cortex_a57)) || {
  echo "changed: Cortex-A76 had the figures of Cortex-A57 in both, Neoverse N1 and V1 in llvm-14"
  exit 1
}
