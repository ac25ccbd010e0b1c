#include "base/late_library.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "bitnet/error.h"

namespace bitnet {
namespace {

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
  EXPECT_NE(what.find("a trace in .npz"), std::string::npos) << what;
  EXPECT_NE(what.find("libbitnet-none.so.0"), std::string::npos) << what;
  EXPECT_NE(what.find("install"), std::string::npos) << what;
}

TEST(LateLibrary, OfAnotherVersionNamesTheFunctionThatItLacks) {
  const LateLibrary library("libc.so.6", "a test");
  const std::string what = failure_of([&] { static_cast<void>(library["bitnet_none"]); });
  EXPECT_NE(what.find("libc.so.6 has no function bitnet_none"), std::string::npos) << what;
}

}  // namespace
}  // namespace bitnet
