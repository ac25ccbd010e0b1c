// Whether a text has a part: EXPECT_TRUE(has(message, "no such file")) shows both where it has not.
#pragma once

#include <gtest/gtest.h>

#include <string_view>

namespace bitnet::test {

::testing::AssertionResult has(std::string_view text, std::string_view part);
::testing::AssertionResult lacks(std::string_view text, std::string_view part);

}  // namespace bitnet::test
