# Makes the Debian packages of this build, installs them in a folder that serves as a root, uses them there, and
# removes them again.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for tool in dpkg dpkg-deb dpkg-query dpkg-shlibdeps file; do
  need_command "$tool" "which making and installing a Debian package takes"
done

(cd "$work" && "$CPACK" -G DEB -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip --config "$BUILD/CPackConfig.cmake" -B "$work") >"$work/cpack.log" 2>&1 ||
  fail "$(cat "$work/cpack.log")"
packages=("$work"/*.deb)
field() {
  dpkg-deb -f "$work/$1"_*.deb "$2"
}

# What dpkg-shlibdeps found, and what is loaded only when it is needed.
for needed in libc6 libstdc++6 libspdlog libpcre2-8 libutf8proc libzip libssl libedit; do
  [[ $(field bitnet Depends) == *"$needed"* ]] || fail "bitnet does not depend on $needed: $(field bitnet Depends)"
done
# Who builds with a static library needs what it needs; a shared one has a package of its own.
[[ $(field libbitnet-dev Depends) =~ libpcre2-dev.*libutf8proc-dev|libbitnet[0-9.]+\ \(= ]] ||
  fail "libbitnet-dev: $(field libbitnet-dev Depends)"

# dpkg changes owners, which takes root or who claims to be.
as_root=()
if [[ $(id -u) != 0 ]]; then
  need_command fakeroot "and this is not root"
  as_root=(fakeroot)
fi
root=$work/root
mkdir -p "$root/var/lib/dpkg/"{info,updates}
touch "$root/var/lib/dpkg/status"
# A shared library's package has scripts, which call ldconfig: the system's has no business here.
mkdir "$work/bin"
printf '#!/bin/sh\n' >"$work/bin/ldconfig"
chmod +x "$work/bin/ldconfig"
in_root() {
  # What the packages depend on is installed outside.
  PATH=$work/bin:$PATH "${as_root[@]}" dpkg --root="$root" --log=/dev/null --force-depends --force-not-root \
    --force-bad-path --force-script-chrootless "$@" >"$work/dpkg.log" 2>&1 || fail "dpkg $*: $(cat "$work/dpkg.log")"
}

in_root -i "${packages[@]}"
usr=$root/usr
need_file "$usr/share/man/man1/bitnet.1.gz"
need_file "$usr/share/bash-completion/completions/bitnet"
need_file "$usr/share/zsh/vendor-completions/_bitnet"
need_file "$usr/share/fish/vendor_completions.d/bitnet.fish"
need_file "$usr/share/bitnet/schemas/run.json"
need_file "$usr/share/doc/bitnet/copyright"
need_file "$usr/share/doc/libbitnet-dev/copyright"
[[ $("$usr/bin/bitnet" run -q -p "The capital of France is") == " Paris." ]] || fail "bitnet does not run"
check_by_cmake "$usr"

mapfile -t names < <(for package in "${packages[@]}"; do dpkg-deb -f "$package" Package; done)
in_root -r "${names[@]}"
left=$(cd "$root" && find . \( -type f -o -type l \) ! -path './var/*')
[[ -z $left ]] || fail "after removal there is still: $left"
