# For the tests in this folder, whose first argument is a folder of their own.
set -euo pipefail

work=$1
model=$SOURCE/models/canary.gguf
rm -rf "$work"
mkdir -p "$work"

fail() {
  echo "failed: $*" >&2
  exit 1
}

skip() {
  echo "skipped: $*"
  exit 77
}

# need_command NAME WHAT_FOR
need_command() {
  command -v "$1" >/dev/null || skip "$1 is not here, $2"
}

need_file() {
  [[ -e $1 ]] || fail "$1 is missing"
}

# check_program COMMAND...: it is what the README says, and writes what `bitnet run` does.
check_program() {
  local code=0
  "$BITNET" run -q -m "$model" -p "Once upon a time" --temp 0.7 --top-p 0.95 -n 50 >"$work/expected"
  "$@" "$model" >"$work/text" || fail "$* ended with $?"
  cmp "$work/expected" "$work/text" || fail "$*: another text than that of bitnet run"
  # A file that is no model: one line, no abort.
  "$@" "$SOURCE/README.md" 2>"$work/errors" >&2 || code=$?
  [[ $code == 1 ]] || fail "$* README.md: exit code $code"
  [[ $(wc -l <"$work/errors") == 1 ]] || fail "$* README.md: $(cat "$work/errors")"
  code=0
  "$@" 2>"$work/errors" >&2 || code=$?
  [[ $code == 2 ]] || fail "$* without a file: exit code $code"
}

# make_project FOLDER: the README's CMake lines and program as a project that asks for no C++ standard.
make_project() {
  mkdir "$1"
  cp "$README/my_program.cpp" "$README/my_program.cmake" "$1"
  cat >"$1/CMakeLists.txt" <<'PROJECT'
cmake_minimum_required(VERSION 3.25)
project(my_program LANGUAGES CXX)
find_package(bitnet 99 QUIET)
if(bitnet_FOUND)
  message(FATAL_ERROR "a version was found that there is none of")
endif()
add_executable(my_program my_program.cpp)
include(my_program.cmake)
PROJECT
}

# check_by_cmake PREFIX: find_package finds the copy that is installed there.
check_by_cmake() {
  make_project "$work/project"
  "$CMAKE" -G "$GENERATOR" -S "$work/project" -B "$work/project/build" -D CMAKE_CXX_COMPILER="$CXX" \
    -D CMAKE_PREFIX_PATH="$1" >"$work/configure.log" || fail "$(cat "$work/configure.log")"
  "$CMAKE" --build "$work/project/build" >"$work/build.log" || fail "$(cat "$work/build.log")"
  check_program "$work/project/build/my_program"
}

# check_by_pkg_config PREFIX
check_by_pkg_config() {
  local library
  library=$(dirname "$(find "$1" -name 'libbitnet.*' -print -quit)")
  # shellcheck disable=SC2046 # the flags are words
  PKG_CONFIG_PATH=$library/pkgconfig "$CXX" -std=c++20 "$README/my_program.cpp" -o "$work/my_program" \
    $(PKG_CONFIG_PATH=$library/pkgconfig "$PKG_CONFIG" --cflags --libs bitnet)
  check_program env LD_LIBRARY_PATH="$library" "$work/my_program"
}
