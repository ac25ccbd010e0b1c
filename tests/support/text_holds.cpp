#include "support/text_holds.h"

namespace bitnet::test {

::testing::AssertionResult has(std::string_view text, std::string_view part) {
  if (text.find(part) != std::string_view::npos) {
    return ::testing::AssertionSuccess() << "'" << part << "' is in:\n" << text;
  }
  return ::testing::AssertionFailure() << "'" << part << "' is not in:\n" << text;
}

::testing::AssertionResult lacks(std::string_view text, std::string_view part) { return !has(text, part); }

}  // namespace bitnet::test
