# The program linked with the library of this build, and a project that has this one as a folder of its own.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

check_program "$2"

# What a header declares must be seen of a shared library, too.
bare=$(grep -l '^namespace bitnet {' "$SOURCE"/include/bitnet/*.h || true)
[[ -z $bare ]] || fail "'namespace BITNET_API bitnet {' is what should stand in $bare"

# That project gets a library, and neither our command line and what that needs nor our tests. To build the whole
# library once more would take minutes: its program is compiled.
make_project "$work/project"
cat >>"$work/project/CMakeLists.txt" <<'PROJECT'
install(TARGETS my_program)
PROJECT
sed -i "s|^find_package(bitnet .*|add_subdirectory($SOURCE bitnet)|" "$work/project/my_program.cmake"
sed -i '/find_package(bitnet 99/,/endif/d' "$work/project/CMakeLists.txt"
missing=()
for package in CLI11 spdlog nlohmann_json GTest valijson benchmark; do
  missing+=(-D "CMAKE_DISABLE_FIND_PACKAGE_$package=ON")
done
"$CMAKE" -G "$GENERATOR" -S "$work/project" -B "$work/build" -D CMAKE_CXX_COMPILER="$CXX" \
  "${missing[@]}" --no-warn-unused-cli >"$work/configure.log" 2>&1 || fail "$(cat "$work/configure.log")"
! grep -q "Warning" "$work/configure.log" || fail "$(cat "$work/configure.log")"

"$CMAKE" --build "$work/build" --target help >"$work/targets"
grep -q "bitnet" "$work/targets" || fail "no library among the targets"
! grep -q "bitnet-cli\|test_\|readme_program" "$work/targets" || fail "the command line or tests would be built"

if [[ $GENERATOR == Ninja ]]; then
  "$CMAKE" --build "$work/build" --target CMakeFiles/my_program.dir/my_program.cpp.o >"$work/build.log" ||
    fail "$(cat "$work/build.log")"
fi

# Only what is its own is installed, though the library was not even built.
touch "$work/build/my_program"
"$CMAKE" --install "$work/build" --prefix "$work/prefix" >"$work/install.log"
[[ $(cd "$work/prefix" && find . -type f) == ./bin/my_program ]] || fail "more was installed than the program"
