// --draft as its user sees it. That it changes no token is tested in tests/engine/draft_test.cpp.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "cli/chat/talk.h"
#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;

const std::string kTwice =
    "Once upon a time there was a little girl named Lily. Once upon a time there was a little";
const Args kTwiceRun{"run", "-p", kTwice, "-n", "40"};

TEST(CliDraft, GivesTheSameTextAndSaysHowTheGuessesCameOut) {
  const ChildResult off = run_bitnet(with(kTwiceRun, {"-v", "--draft", "off"}));
  const ChildResult four = run_bitnet(with(kTwiceRun, {"-v", "--draft", "4"}));
  EXPECT_EQ(four.out, off.out);
  EXPECT_EQ(text_of(with(kTwiceRun, {"-q"})), off.out);
  EXPECT_TRUE(lacks(off.err, "drafts:"));
  EXPECT_TRUE(std::regex_search(
      four.err,
      std::regex(
          "drafts: [1-9][0-9]* of [0-9]+ guesses right; [0-9]+ passes for 39 tokens, 1\\.[0-9]+ a pass")))
      << four.err;
}

TEST(CliDraft, StandsInTheReceipt) {
  const TempDirectory directory;
  const std::string path = directory.file("receipt.json");
  text_of(with(kTwiceRun, {"-q", "--draft", "4", "--receipt", path}));
  const Json receipt = parse_json(content_of(path));
  EXPECT_EQ(receipt.at("machine").at("draft"), "4");
  const Json& drafts = receipt.at("timings").at("drafts");
  EXPECT_GT(drafts.at("accepted"), 0);
  EXPECT_GE(drafts.at("drafted"), drafts.at("accepted"));
  EXPECT_EQ(drafts.at("passes").get<int>() + drafts.at("accepted").get<int>(), 39);
  EXPECT_GT(drafts.at("tokens_per_pass"), 1);
}

TEST(CliDraft, IsRefusedInWords) {
  for (const char* value : {"0", "16", "-1", "4x", "many", "99999999999999999999"}) {
    const std::string line = refusal(run_bitnet(with(kTwiceRun, {"--draft", value})), 2);
    EXPECT_TRUE(has(line, "give auto, off or a number from 1 to 15")) << value;
  }
  EXPECT_TRUE(has(refusal(run_bitnet({"run", "-p", "a b c", "--score", "--draft", "off"}), 2),
                  "--draft has no effect with --score"));
}

TEST(CliDraft, GivesTheSameConversation) {
  const std::string messages = "What is 3+4?\nWhat is 3+4?\nWhat color is the sky?\n/stats\n";
  const ChildResult off = talk(messages, {"--draft", "off"});
  const ChildResult four = talk(messages, {"--draft", "4"});
  EXPECT_EQ(four.out, off.out);
  EXPECT_TRUE(lacks(off.err, "guessed tokens"));
}

}  // namespace
}  // namespace bitnet::test
