// What every start of the executable pays for.
#include <gtest/gtest.h>

#include "cli/runner.h"

namespace bitnet::test {
namespace {

TEST(Start, LoadsNoLibraryThatOnlySomeCommandsNeed) {
  // glibc's loader then prints what it would load, and ends.
  const ChildResult result = run_bitnet({"--version"}, {{"LD_TRACE_LOADED_OBJECTS", "1"}});
  if (lacks(result.out, "libc.so")) GTEST_SKIP() << "the loader does not tell what it loads";
  EXPECT_TRUE(has(result.out, "libpcre2-8")) << result.out;
  for (const char* late : {"libcrypto", "libzip", "libedit", "httplib", "libssl"})
    EXPECT_TRUE(lacks(result.out, late)) << result.out;
}

}  // namespace
}  // namespace bitnet::test
