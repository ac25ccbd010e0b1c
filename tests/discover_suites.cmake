# Writes the file by which CTest knows the suites of a GoogleTest program: cmake -D program=... -D list=...
# [-D emulator=...] -P this
execute_process(COMMAND ${emulator} ${program} --gtest_list_tests OUTPUT_VARIABLE output RESULT_VARIABLE result
                TIMEOUT 60)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${program} --gtest_list_tests: ${result}")
endif()

# "Suite." or "Suite/0.  # TypeParam = int", and two spaces before each of its tests. DISABLED_ ones count as none.
string(REPLACE "\n" ";" lines "${output}")
set(suites "")
set(suite "")
foreach(line IN LISTS lines)
  if(line MATCHES "^([^ ][^ ]*)\\.($| )")
    set(suite ${CMAKE_MATCH_1})
  elseif(suite AND line MATCHES "^  [^ ]" AND NOT line MATCHES "^  DISABLED_" AND NOT suite MATCHES "DISABLED_")
    list(APPEND suites ${suite})
  endif()
endforeach()
list(REMOVE_DUPLICATES suites)

set(run "")
foreach(word IN LISTS emulator program)
  string(APPEND run " [==[${word}]==]")
endforeach()
# An emulator takes ten times as long and more.
set(seconds 600)
if(emulator)
  set(seconds 6000)
endif()
set(text "")
foreach(suite IN LISTS suites)
  string(APPEND text "add_test([==[${suite}]==]${run} [==[--gtest_filter=${suite}.*]==])\n"
                     "set_tests_properties([==[${suite}]==] PROPERTIES TIMEOUT ${seconds} "
                     "SKIP_REGULAR_EXPRESSION [==[\\[  PASSED  \\] 0 tests]==])\n")
endforeach()
file(WRITE ${list} "${text}")
