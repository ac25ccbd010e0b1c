// bitnet perplexity as its user sees it: the result, the running estimate, the bar, and every refusal.
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <nlohmann/json.hpp>
#include <span>

#include "cli/chat/terminal.h"
#include "cli/json_schema.h"
#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

const std::string kText = BITNET_TEST_DATA "/perplexity/village.txt";
const Args kShortText{"perplexity", "-f", kText, "-c", "128", "-t", "1"};

TEST(CliPerplexity, PrintsOneLineAndTheEstimatesSoFarOnStderr) {
  const ChildResult result = run_bitnet(kShortText);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.out, "perplexity 2.2"));
  EXPECT_TRUE(has(result.out, " +- 0."));
  EXPECT_TRUE(has(result.out, " (126 tokens scored in 2 windows of 128), 0."));
  EXPECT_TRUE(has(result.out, " bits per byte\n"));
  EXPECT_EQ(lines_of(result.out).size(), 1U);
  EXPECT_TRUE(has(result.err, "info: window 1 of 2: perplexity "));
  EXPECT_TRUE(has(result.err, "info: window 2 of 2: perplexity 2.2"));
  EXPECT_TRUE(has(result.err, "info: the last 37 of 293 tokens"));
  EXPECT_TRUE(lacks(result.err, "\r"));  // no bar in a pipe
  EXPECT_EQ(run_bitnet(with(kShortText, {"-q"})).err, "");
}

TEST(CliPerplexity, JsonHasItsDocumentedFields) {
  const auto json = parse_json(
      text_of(with(kShortText, {"--json", "--stride", "50", "--kv-type", "f32", "--backend", "scalar"})));
  EXPECT_EQ(misfits("perplexity", json), "");
  EXPECT_EQ(json.at("schema"), "bitnet.perplexity");
  EXPECT_EQ(json.at("version"), 1);
  EXPECT_EQ(json.at("model"), "built-in canary");
  EXPECT_EQ(json.at("architecture"), "bitnet-b1.58");
  EXPECT_EQ(json.at("backend"), "scalar");
  EXPECT_EQ(json.at("threads"), 1);
  EXPECT_EQ(json.at("kv_type"), "f32");
  EXPECT_EQ(json.at("activations"), "int8");
  EXPECT_EQ(json.at("head"), "stored");
  EXPECT_EQ(json.at("nll_unit"), "nats per token");
  EXPECT_EQ(json.at("whole_text"), false);
  EXPECT_EQ(json.at("window"), 128);
  EXPECT_EQ(json.at("stride"), 50);
  EXPECT_EQ(json.at("text_tokens"), 293);
  EXPECT_EQ(json.at("windows"), 4);
  EXPECT_EQ(json.at("scored_tokens"), 200);
  EXPECT_EQ(json.at("left_out_tokens"), 15);
  const double nll = json.at("mean_nll");
  EXPECT_NEAR(json.at("perplexity").get<double>(), std::exp(nll), 1e-9);
  EXPECT_NEAR(json.at("perplexity_error").get<double>(),
              std::exp(nll) * json.at("mean_nll_error").get<double>(), 1e-9);
  EXPECT_NEAR(json.at("bits_per_byte").get<double>(),
              nll / std::log(2.0) * 200 / json.at("scored_bytes").get<double>(), 1e-9);
}

TEST(CliPerplexity, TellsOfTheInt8Head) {
  const auto json = parse_json(text_of(with(kShortText, {"-q", "--json", "--head", "int8"})));
  EXPECT_EQ(json.at("head"), "int8");
  EXPECT_EQ(misfits("perplexity", json), "");
}

// All of it, in one window of its own length.
TEST(CliPerplexity, TakesATextShorterThanAWindow) {
  const Args sentence{"perplexity", "-p", "The capital of France is Paris."};
  const ChildResult result = run_bitnet(sentence);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.out, " (11 of 12 tokens scored), "));
  EXPECT_TRUE(has(result.err, "shorter than a window of 512"));
  const auto json = parse_json(text_of(with(sentence, {"-q", "--json"})));
  EXPECT_EQ(misfits("perplexity", json), "");
  EXPECT_EQ(json.at("whole_text"), true);
  EXPECT_EQ(json.at("window"), 12);
  EXPECT_EQ(json.at("scored_bytes"), 31);
  const auto score =
      parse_json(text_of({"run", "-q", "--score", "--json", "-p", "The capital of France is Paris."}));
  EXPECT_NEAR(json.at("bits_per_byte"), score.at("prompt").at("score").at("bits_per_byte"), 1e-6);
  EXPECT_TRUE(has(refusal(run_bitnet(with(sentence, {"--stride", "8"})), 2), "--stride 8 has no effect"));
}

TEST(CliPerplexity, ReadsStdin) {
  ChildOptions options;
  options.args = {"perplexity", "-f", "-", "-c", "8", "-q"};
  options.stdin_text = "The capital of France is Paris. The capital of Italy is Rome.\n";
  const ChildResult result = run_bitnet(options);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.out, "perplexity "));
}

// Every state of the bar fits the line, and nothing of it is left under what is printed.
TEST(CliPerplexity, DrawsABarThatFitsTheTerminal) {
  for (const auto columns : std::to_array<unsigned short>({40, 80, 12})) {
    Terminal terminal(columns);
    if (!terminal.exists()) GTEST_SKIP() << "no terminals here";
    ChildOptions options;
    options.args = with(kShortText, {"-v"});
    options.stderr_fd = terminal.descriptor();
    EXPECT_EQ(run_bitnet(options).exit_code, 0);
    const std::string drawn = terminal.read_all();
    const std::string erase = "\r\x1b[K";
    bool is_shown = false;
    for (std::size_t at = 0; at < drawn.size();) {
      const std::size_t end = std::min(drawn.find(erase, at), drawn.size());
      const std::string part = drawn.substr(at, end - at);
      if (part.starts_with("perplexity ") && lacks(part, "\n")) {
        is_shown = true;
        EXPECT_LT(part.size(), columns) << part;
        EXPECT_NE(end, drawn.size()) << "not erased: " << part;
        if (columns >= 40) {
          EXPECT_TRUE(has(part, " %"));
          EXPECT_TRUE(has(part, "["));
        }
      }
      at = end + erase.size();
    }
    EXPECT_TRUE(is_shown) << drawn;
  }
}

TEST(CliPerplexity, DrawsNothingWhenToldNotToOrWhereNothingCanBeErased) {
  for (const bool quiet : {true, false}) {
    Terminal terminal;
    if (!terminal.exists()) GTEST_SKIP() << "no terminals here";
    ChildOptions options;
    options.args = quiet ? with(kShortText, {"-q"}) : kShortText;
    if (!quiet) options.environment = {{"TERM", "dumb"}, {"NO_COLOR", "1"}};
    options.stderr_fd = terminal.descriptor();
    EXPECT_EQ(run_bitnet(options).exit_code, 0);
    EXPECT_TRUE(lacks(terminal.read_all(), "\x1b"));
  }
}

// Colour is one thing, a line that is drawn anew another.
TEST(CliPerplexity, DrawsItsBarWithoutColourToo) {
  Terminal terminal;
  if (!terminal.exists()) GTEST_SKIP() << "no terminals here";
  ChildOptions options;
  options.args = with(kShortText, {"-v"});
  options.environment = {{"TERM", "xterm"}, {"NO_COLOR", "1"}};
  options.stderr_fd = terminal.descriptor();
  EXPECT_EQ(run_bitnet(options).exit_code, 0);
  const std::string drawn = terminal.read_all();
  EXPECT_TRUE(has(drawn, "\r\x1b[Kperplexity ["));
  EXPECT_TRUE(lacks(drawn, "\x1b[3"));
  EXPECT_TRUE(lacks(drawn, "\x1b[m"));
}

TEST(CliPerplexity, RefusesTextsThatCannotBeMeasured) {
  const auto with_text = [](const std::string& text, const Args& more = {}) {
    ChildOptions options;
    options.args = with({"perplexity", "-f", "-", "-q"}, more);
    options.stdin_text = text;
    return run_bitnet(options);
  };
  EXPECT_TRUE(has(refusal(with_text(""), 3), "stdin: the text is empty"));
  EXPECT_TRUE(has(refusal(with_text("\n"), 3), "stdin: the text is empty"));
  EXPECT_TRUE(has(refusal(with_text("abc\xFF"), 3), "byte 3 (0xFF) is not UTF-8 text"));
  EXPECT_TRUE(has(refusal(with_text(std::string("ab\0c", 4)), 3), "byte 2 (0x00) is not UTF-8 text"));
  EXPECT_TRUE(has(refusal(with_text(std::string((64U << 20) + 1, 'a')), 2), "larger than 64 MiB"));
  EXPECT_TRUE(has(refusal(with_text("a b c d", {"-c", "3"}), 2), "two to score"));
  EXPECT_TRUE(
      has(refusal(run_bitnet({"perplexity", "-f", "/nowhere"}), 3), "/nowhere: cannot open the text"));
  EXPECT_TRUE(has(refusal(run_bitnet({"perplexity", "-f", "/"}), 3), "/: cannot read the text"));
}

TEST(CliPerplexity, RefusesAWrongCommandLine) {
  EXPECT_TRUE(has(refusal(run_bitnet({"perplexity"}), 2), "pass -p TEXT, -f FILE, or -f -"));
  EXPECT_TRUE(has(refusal(run_bitnet(with(kShortText, {"--stride", "128"})), 2), "--stride 128"));
  EXPECT_TRUE(has(refusal(run_bitnet(with(kShortText, {"--stride", "-1"})), 2), "--stride '-1'"));
  EXPECT_TRUE(has(refusal(run_bitnet(with(kShortText, {"-c", "2"})), 2), "--ctx-size 2"));
  EXPECT_TRUE(has(refusal(run_bitnet(with(kShortText, {"-c", "16777217"})), 2), "--ctx-size"));
}

TEST(CliPerplexity, HelpFitsAScreen) {
  const std::vector<std::string> lines = lines_of(text_of({"perplexity", "--help"}));
  EXPECT_LE(lines.size(), 50U);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80U) << line;
}

TEST(CliPerplexity, ASignalEndsItSoon) {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += "Once upon a time, there was a little girl. ";
  const TempFile file(std::as_bytes(std::span(text)));
  for (const int signal : {SIGINT, SIGTERM}) {
    const ChildResult result =
        run_until_signal({"perplexity", "-f", file.path(), "--backend", "scalar"}, signal);
    EXPECT_FALSE(result.timed_out);
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_EQ(result.out, "");
  }
}

}  // namespace
}  // namespace bitnet::test
