# Installs this build, or a component of it, elsewhere, and uses the copy: installed_copy.sh WORK [COMPONENT]
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$CMAKE" --install "$BUILD" --prefix "$work/first" ${2:+--component "$2"} >"$work/install.log"
prefix=$work/moved  # nothing in it says where it was
mv "$work/first" "$prefix"

for header in "$SOURCE"/include/bitnet/*.h; do
  need_file "$prefix/include/bitnet/$(basename "$header")"
done
if [[ -z ${2:-} ]]; then
  need_file "$prefix/share/doc/bitnet/LICENSE"
  for schema in "$SOURCE"/tests/data/schemas/*.json; do
    need_file "$prefix/share/bitnet/schemas/$(basename "$schema")"
  done
  need_file "$prefix/share/man/man1/bitnet.1"
  need_file "$prefix/share/bash-completion/completions/bitnet"
  need_file "$prefix/share/zsh/site-functions/_bitnet"
  need_file "$prefix/share/fish/vendor_completions.d/bitnet.fish"
  [[ $("$prefix/bin/bitnet" run -q -p "The capital of France is") == " Paris." ]] || fail "bin/bitnet does not run"
fi

shared=$(find "$prefix" -name 'libbitnet.so')
if [[ -n $shared ]] && command -v nm >/dev/null; then
  # Weak symbols are what templates of the standard library leave.
  hidden=$(nm -DC --defined-only "$shared" | awk '$2 ~ /[TDBR]/' | grep -v " bitnet::" || true)
  [[ -z $hidden ]] || fail "$shared shows what is no interface: $hidden"
fi

check_by_cmake "$prefix"
check_by_pkg_config "$prefix"
