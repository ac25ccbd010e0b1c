// -e/--escape: what is typed as \n is one.
#include <gtest/gtest.h>

#include "cli/runner.h"

namespace bitnet::test {
namespace {

std::string echo_of(const std::string& prompt) {
  return text_of({"run", "-q", "-e", "-p", prompt, "-n", "0", "--echo"});
}

TEST(Escapes, AreCharactersOnlyWhenAskedFor) {
  EXPECT_EQ(text_of({"run", "-q", "-p", R"(a\nb\q)", "-n", "0", "--echo"}), R"(a\nb\q)");
  EXPECT_EQ(echo_of(R"(\n\t\r\\\"\'\e\a\b\f\v)"), "\n\t\r\\\"'\x1b\a\b\f\v");
  EXPECT_EQ(echo_of(R"(\x41\xe4\u00e9\u20ac\U0001F600\ud83d\ude00\\n)"),
            "A\xe4\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xF0\x9F\x98\x80\\n");
}

TEST(Escapes, StandInStopsSystemMessagesAndTextsToTokenize) {
  EXPECT_EQ(text_of({"run", "Once upon a time", "-e", "--stop", R"(\x20named)"}), ", a girl");
  EXPECT_EQ(text_of({"tokenize", R"(2\n)", "-e"}), "1016 17 198\n");
  const std::string ids =
      text_of({"run", "-q", "--template", "auto", "--system", "a\nb", "hi", "-n", "0", "--json"});
  EXPECT_EQ(
      text_of({"run", "-q", "--template", "auto", "-e", "--system", R"(a\nb)", "hi", "-n", "0", "--json"}),
      ids);
}

TEST(Escapes, ThatAreNoneAreRefused) {
  for (const char* text : {R"(a\q)", "a\\", R"(\x4)", R"(\xg0)", R"(\u12)", R"(\ud83d)", R"(\ud83dx)",
                           R"(\ud83d\u0041)", R"(\ude00)", R"(\U00110000)", R"(\U0000d800)", R"(\0)"}) {
    const std::string error = refusal(run_bitnet(Args{"tokenize", "-e", "-p", text}), 2);
    EXPECT_TRUE(has(error, "--prompt: '\\")) << text;
    EXPECT_TRUE(has(error, "is no escape")) << text;
  }
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"run", "-e", "hi", "--stop", R"(\q)"}), 2), "--stop: '\\q'"));
}

}  // namespace
}  // namespace bitnet::test
