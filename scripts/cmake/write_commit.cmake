# Writes OUTPUT, a source file that knows the commit of SOURCE. It runs with every build and touches the file
# only when the commit has changed, so that nothing else is compiled anew.
#
#   cmake -DSOURCE=DIR -DOUTPUT=FILE -P write_commit.cmake
#
# The commit comes from git, if SOURCE is the top of its checkout (a copy of the files inside of another
# project's checkout is not); else from archive_commit.txt, which `git archive` fills in; else it is unknown.
set(commit "unknown")

file(REAL_PATH "${SOURCE}" source)
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/archive_commit.txt" archive LIMIT_COUNT 1)
if(archive MATCHES "^[0-9a-f]+$")
  set(commit "${archive}")
endif()

find_program(BITNET_GIT git)
if(BITNET_GIT AND EXISTS "${source}/.git")
  # No lock is taken: a build must not be in the way of the user's own git.
  set(git "${BITNET_GIT}" --no-optional-locks -C "${source}")
  execute_process(COMMAND ${git} rev-parse HEAD
                  OUTPUT_VARIABLE head RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT failed AND head MATCHES "^[0-9a-f]+$")
    set(commit "${head}")
    execute_process(COMMAND ${git} status --porcelain --untracked-files=no
                    OUTPUT_VARIABLE changes RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(failed OR NOT changes STREQUAL "")
      string(APPEND commit "-dirty")
    endif()
  endif()
endif()

set(text "// Made by scripts/cmake/write_commit.cmake.
#include \"bitnet/version.h\"

std::string_view bitnet::commit() { return \"${commit}\"; }
")
set(before "")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" before)
endif()
if(NOT before STREQUAL text)
  file(WRITE "${OUTPUT}" "${text}")
endif()
