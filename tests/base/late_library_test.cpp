#include "base/late_library.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "bitnet/error.h"
#include "support/text_holds.h"

namespace bitnet {
namespace {

using test::has;

// What `action` throws, or "" if nothing.
template <typename Action>
std::string failure_of(Action action) {
  try {
    action();
  } catch (const RuntimeError& e) {
    return e.what();
  }
  return "";
}

TEST(LateLibrary, CallsAFunctionByTheTypeOfItsHeader) {
  const LateLibrary library("libc.so.6", "a test");
  std::size_t (*const length)(const char*) = library["strlen"];
  EXPECT_EQ(length("seven .."), 8U);
}

TEST(LateLibrary, ThatIsNotThereIsNamedWithWhatNeedsIt) {
  const std::string what = failure_of([] { LateLibrary("libbitnet-none.so.0", "a trace in .npz"); });
  EXPECT_TRUE(has(what, "a trace in .npz"));
  EXPECT_TRUE(has(what, "libbitnet-none.so.0"));
  EXPECT_TRUE(has(what, "install"));
}

TEST(LateLibrary, OfAnotherVersionNamesTheFunctionThatItLacks) {
  const LateLibrary library("libc.so.6", "a test");
  const std::string what = failure_of([&] { static_cast<void>(library["bitnet_none"]); });
  EXPECT_TRUE(has(what, "libc.so.6 has no function bitnet_none"));
}

}  // namespace
}  // namespace bitnet
