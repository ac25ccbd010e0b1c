// What stands on stderr and in the help, and how it looks on a terminal.
#include <gtest/gtest.h>

#include <filesystem>

#include "cli/chat/terminal.h"
#include "cli/runner.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

const Args kSum{"run", "-p", "2+2=", "-n", "2"};

TEST(CliMessages, QuietLeavesErrorsOnly) {
  EXPECT_EQ(run_bitnet(with(kSum, {"-q"})).err, "");
  const ChildResult refused = run_bitnet(with(kSum, {"--temp=nan", "--quiet"}));
  EXPECT_TRUE(has(refused.err, "error: --temp"));
  EXPECT_EQ(lines_of(refused.err).size(), 1U);
}

TEST(CliMessages, VerboseTellsOfTheModelTheMemoryAndTheMachine) {
  const ChildResult result = run_bitnet(with(kSum, {"-v"}));
  EXPECT_EQ(result.out, "4.");
  for (const char* part :
       {"bitnet-b1.58", "loaded 1.1 MiB in ", "peak memory ", "backend ", " threads", "KV cache "}) {
    EXPECT_TRUE(has(result.err, part));
  }
}

TEST(CliMessages, ShowFileNamesSafely) {
  const TempDirectory directory;
  const std::string model = directory.file("a\n\x1b[31mb.gguf");
  std::filesystem::copy_file(BITNET_MODELS "/canary.gguf", model);
  const ChildResult result = run_bitnet(with(kSum, {"-v", "--model=" + model}));
  EXPECT_EQ(result.out, "4.");
  EXPECT_TRUE(lacks(result.err, "\x1b"));
  EXPECT_TRUE(has(result.err, "a\\n\\x1b[31mb.gguf"));
}

TEST(CliMessages, HaveNoEscapeCodesAwayFromATerminal) {
  EXPECT_TRUE(lacks(run_bitnet(with(kSum, {"-v"})).err, "\x1b"));
  EXPECT_TRUE(lacks(run_bitnet(with(kSum, {"--frob"})).err, "\x1b"));
}

TEST(CliHelp, FitsAScreen) {
  for (const Args& args :
       {Args{"-h"}, Args{"run", "--help"}, Args{"chat", "-h"}, Args{"bench", "-h"}, Args{"trace", "-h"},
        Args{"perplexity", "-h"}, Args{"inspect", "-h"}, Args{"tokenize", "-h"}}) {
    const ChildResult result = run_bitnet(args);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_TRUE(has(result.out, "Usage: bitnet "));
    const std::vector<std::string> lines = lines_of(result.out);
    EXPECT_LE(lines.size(), 36U) << result.out;
    for (const std::string& line : lines) {
      if (line.starts_with("  curl ")) continue;  // to be copied
      EXPECT_LE(line.size(), 80U) << line;
    }
  }
}

TEST(CliHelp, ShowsDefaultsAndEnvironment) {
  const std::string help = text_of({"run", "--help-all"});
  for (const char* part : {"[default: auto]", "[default: 256]", "[default: f16]", "[env: BITNET_MODEL]",
                           "[env: BITNET_THREADS]", "[env: BITNET_BACKEND]"}) {
    EXPECT_TRUE(has(help, part));
  }
}

// Of the commands with an LM head only those that sample choose its kind themselves.
TEST(CliHelp, ShowsTheHeadThatACommandTakes) {
  for (const char* command : {"run", "chat"}) {
    EXPECT_TRUE(has(text_of({command, "--help-all"}),
                    "int8[-cached]\n                          [default: by sampler]"));
  }
  for (const char* command : {"trace", "compare", "perplexity"}) {
    EXPECT_TRUE(
        has(text_of({command, "--help-all"}), "int8[-cached]\n                          [default: exact]"));
  }
}

TEST(CliHelp, ShowsExamplesAndTheEverydayOptionsFirst) {
  const std::string help = text_of({"run", "--help"});
  EXPECT_TRUE(has(help, "\nExamples:\n  bitnet run \""));
  EXPECT_TRUE(has(help, "--max-tokens"));
  EXPECT_TRUE(lacks(help, "--prefill-chunk"));
  EXPECT_TRUE(has(help, "bitnet run --help-all lists "));
  EXPECT_TRUE(has(help, "raw: TEXT as it stands; auto: "));
  EXPECT_TRUE(has(text_of({"run", "--help-all"}), "--prefill-chunk"));
}

TEST(CliHelp, IsAsWideAsTheTerminal) {
  const auto widest = [](const char* columns) {
    std::size_t widest = 0;
    for (const std::string& line :
         lines_of(run_bitnet(Args{"run", "--help-all"}, {{"COLUMNS", columns}}).out)) {
      if (!line.starts_with("  bitnet run ")) widest = std::max(widest, line.size());
    }
    return widest;
  };
  EXPECT_LE(widest("40"), 40U);
  EXPECT_LE(widest("20"), 40U);
  EXPECT_LE(widest("60"), 60U);
  EXPECT_GT(widest("100"), 80U);
  EXPECT_LE(widest("many"), 80U);
}

TEST(CliVersion, IsOneLineOnStdout) {
  const std::string text = text_of({"--version"});
  EXPECT_TRUE(text.starts_with("bitnet ")) << text;
  EXPECT_EQ(lines_of(text).size(), 1U);
}

// What a command shows when all its streams are one terminal.
std::string show(Terminal& terminal, const Args& args,
                 const std::map<std::string, std::string>& environment) {
  ChildOptions options;
  options.args = args;
  options.environment = environment;
  options.stdin_fd = options.stdout_fd = options.stderr_fd = terminal.descriptor();
  EXPECT_EQ(run_bitnet(options).exit_code, 0);
  return terminal.read_all();
}

TEST(CliTerminal, GetsColourUnlessNoColorIsSet) {
  Terminal coloured;
  Terminal plain;
  if (!coloured.exists() || !plain.exists()) GTEST_SKIP() << "no pseudoterminals here";
  EXPECT_TRUE(has(show(coloured, kSum, {{"TERM", "xterm"}}), "\x1b["));
  EXPECT_TRUE(lacks(show(plain, kSum, {{"TERM", "xterm"}, {"NO_COLOR", "1"}}), "\x1b"));
}

TEST(CliTerminal, IsToldThatThePromptIsReadFromIt) {
  Terminal terminal;
  if (!terminal.exists()) GTEST_SKIP() << "no pseudoterminals here";
  terminal.type("2+2=\n\x04");
  EXPECT_TRUE(
      has(show(terminal, {"run", "-f", "-", "-n", "2"}, {}), "reading the prompt from the keyboard; Ctrl-D"));
}

TEST(CliTerminal, GetsItsPromptBackOnALineOfItsOwn) {
  Terminal terminal;
  if (!terminal.exists()) GTEST_SKIP() << "no pseudoterminals here";
  EXPECT_EQ(show(terminal, with(kSum, {"-q"}), {}), "4.\r\n");
}

}  // namespace
}  // namespace bitnet::test
