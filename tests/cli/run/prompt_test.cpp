// Where the prompt, the model and the settings come from.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <span>

#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

TempFile file_of(const std::string& text) { return TempFile(std::as_bytes(std::span(text))); }

std::string echo_of_stdin(const std::string& text) {
  ChildOptions options;
  options.args = {"run", "-f", "-", "-n", "0", "--echo"};
  options.stdin_text = text;
  const ChildResult result = run_bitnet(options);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}

TEST(CliPrompt, IsPrintedBeforeTheTextWhenAskedFor) {
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "2", "--echo"}), "2+2=4.");
}

TEST(CliPrompt, ComesFromAFile) {
  const TempFile file = file_of("2+2=\n");
  EXPECT_EQ(text_of({"run", "-f", file.path(), "-n", "2"}), "4.");
}

TEST(CliPrompt, ComesFromStdin) {
  ChildOptions options;
  options.args = {"run", "-f", "-", "-n", "2"};
  options.stdin_text = "2+2=\n";
  EXPECT_EQ(run_bitnet(options).out, "4.");
}

TEST(CliPrompt, FromAFileLosesOneFinalLineBreak) {
  EXPECT_EQ(echo_of_stdin("a"), "a");
  EXPECT_EQ(echo_of_stdin("a\n"), "a");
  EXPECT_EQ(echo_of_stdin("a\r\n"), "a");
  EXPECT_EQ(echo_of_stdin("a\n\n"), "a\n");
  EXPECT_EQ(echo_of_stdin("\na b \n"), "\na b ");
}

// Editors put it there, and it is no part of the text.
TEST(CliPrompt, FromAFileLosesTheByteOrderMark) {
  EXPECT_EQ(echo_of_stdin("\xEF\xBB\xBF"
                          "a\n"),
            "a");
  const TempFile file = file_of(
      "\xEF\xBB\xBF"
      "2+2=\n");
  const ChildResult result = run_bitnet(Args{"run", "-v", "-n", "2", "-f", file.path()});
  EXPECT_EQ(result.out, "4.");
  EXPECT_TRUE(has(result.err, "byte order mark at its beginning is left out"));
  EXPECT_EQ(text_of({"tokenize", "-f", file.path(), "--count"}), "9\n");  // every byte
}

TEST(CliPrompt, ThatIsUtf16OrUtf32IsRefusedWithTheWayToConvertIt) {
  using namespace std::string_literals;
  const auto refused = [](const std::string& text) {
    ChildOptions options;
    options.args = {"run", "-f", "-"};
    options.stdin_text = text;
    return refusal(run_bitnet(options), 3);
  };
  for (const std::string& text : {"\xFF\xFE"
                                  "a\0"s,
                                  "\xFE\xFF"
                                  "\0a"s}) {
    EXPECT_TRUE(has(refused(text), "the prompt is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8"));
  }
  for (const std::string& text : {"\xFF\xFE\0\0"
                                  "a\0\0\0"s,
                                  "\0\0\xFE\xFF"
                                  "\0\0\0a"s}) {
    EXPECT_TRUE(has(refused(text), "iconv -f UTF-32 -t UTF-8"));
  }
}

TEST(CliPrompt, ThatIsNoTextIsRunWithAWarning) {
  using namespace std::string_literals;
  const auto warning = [](const std::string& text) {
    ChildOptions options;
    options.args = {"run", "-f", "-", "-n", "0", "--echo"};
    options.stdin_text = text;
    const ChildResult result = run_bitnet(options);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out, text);
    return result.err;
  };
  EXPECT_TRUE(has(warning("a\0b\0"s), "warning: stdin: 2 of the prompt's 4 bytes are zero; is it text?"));
  EXPECT_TRUE(has(warning("a\xFFz"), "warning: stdin: the prompt is not valid UTF-8"));
  EXPECT_TRUE(lacks(warning("caf\xC3\xA9"), "warning"));
}

TEST(CliPrompt, LargerThanAnyContextIsAUsageErrorAsOneThatIsTooLong) {
  ChildOptions options;
  options.args = {"run", "-f", "/dev/zero"};
  EXPECT_TRUE(has(refusal(run_bitnet(options), 2), "/dev/zero: the prompt is larger than 64 MiB"));
}

TEST(CliPrompt, MayBeGivenAsTokenIds) {
  const Args args{"run", "-n", "2", "--ids", "1016,17,10,17,28"};
  EXPECT_EQ(text_of(args), text_of({"run", "-n", "2", "-p", "2+2="}));
  EXPECT_EQ(text_of({"run", "-n", "0", "--echo", "--ids", "[17, 10]"}), "2+");
  const auto json = parse_json(text_of({"run", "-q", "-n", "0", "--ids", "1016,17", "--json"}));
  EXPECT_TRUE(json.at("prompt").at("text").is_null());
  EXPECT_EQ(json.at("prompt").at("ids"), (nlohmann::json{1016, 17}));
  const auto refused = [](const Args& more) {
    Args all{"run", "-n", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return refusal(run_bitnet(all), 2);
  };
  EXPECT_TRUE(has(refused({"--ids", "1024"}), "1024 is outside the vocabulary of 1024"));
  EXPECT_TRUE(has(refused({"--ids", "1,x"}), "--ids: 'x', number 2, is no token id"));
  EXPECT_TRUE(has(refused({"--ids", ","}), "--ids"));
  EXPECT_TRUE(has(refused({"--ids", "1", "-p", "a"}), "--ids"));
  EXPECT_TRUE(has(refused({"--ids", "1", "--template", "auto"}), "--ids"));
}

TEST(CliPrompt, MayBeEmptyOrLookLikeAnOption) {
  EXPECT_TRUE(has(text_of({"run", "-p", "", "-n", "4"}), "Once upon"));
  EXPECT_EQ(text_of({"run", "-p", "--echo", "-n", "0", "--echo"}), "--echo");
  EXPECT_EQ(text_of({"run", "-p", "[a,b]", "-n", "0", "--echo"}), "[a,b]");
}

TEST(CliPrompt, HoldsControlTokensOnlyWithSpecial) {
  const Args args{"run", "-n", "0", "-p", "<|eot_id|>"};
  EXPECT_TRUE(has(run_bitnet(args).err, "prompt 10 tokens"));
  Args special = args;
  special.emplace_back("--special");
  EXPECT_TRUE(has(run_bitnet(special).err, "prompt 2 tokens"));  // with BOS
}

TEST(CliModel, IsReadFromTheFileThatIsNamed) {
  const ChildResult result = run_bitnet(Args{"run", "-m", kCanary, "-p", "2+2=", "-n", "2"});
  EXPECT_EQ(result.out, "4.");
  EXPECT_TRUE(lacks(result.err, "built-in"));
}

TEST(CliEnvironment, NamesTheModel) {
  const ChildResult result = run_bitnet(Args{"run", "-p", "2+2=", "-n", "2"}, {{"BITNET_MODEL", kCanary}});
  EXPECT_EQ(result.out, "4.");
  EXPECT_TRUE(lacks(result.err, "built-in"));
}

TEST(CliEnvironment, YieldsToTheCommandLine) {
  const ChildResult result = run_bitnet(Args{"run", "-m", kCanary, "-t", "2", "-p", "2+2=", "-n", "2", "-v"},
                                        {{"BITNET_MODEL", "/nonexistent"}, {"BITNET_THREADS", "5"}});
  EXPECT_EQ(result.out, "4.");
  EXPECT_TRUE(has(result.err, " 2 threads"));
}

TEST(CliEnvironment, SetsThreadsAndBackend) {
  const ChildResult result = run_bitnet(Args{"run", "-p", "2+2=", "-n", "2", "-v"},
                                        {{"BITNET_THREADS", "3"}, {"BITNET_BACKEND", "scalar"}});
  EXPECT_EQ(result.out, "4.");
  EXPECT_TRUE(has(result.err, "backend scalar, 3 threads"));
}

TEST(CliOptions, OfTheMachineChangeNoText) {
  for (const Args& more :
       {Args{"--weights", "repack"}, Args{"--weights", "mmap"}, Args{"--pin", "-t", "1"}}) {
    Args args{"run", "-m", kCanary, "-p", "2+2=", "-n", "2"};
    args.insert(args.end(), more.begin(), more.end());
    EXPECT_EQ(text_of(args), "4.") << more.front();
  }
}

TEST(CliOptions, TakeTheLastOfSeveral) {
  EXPECT_EQ(text_of({"run", "-n", "9", "-p", "2+2=", "-n", "1"}), "4");
}

}  // namespace
}  // namespace bitnet::test
