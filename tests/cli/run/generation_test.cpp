// The text that `bitnet run` prints.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/runner.h"
#include "support/parse_json.h"

namespace bitnet::test {
namespace {

const std::string kStory = "Once upon a time";

TEST(CliGeneration, PrintsTheContinuationAndNothingElse) {
  const ChildResult result = run_bitnet(Args{"run", "-p", "The capital of France is", "-n", "4"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, " Paris.");
  EXPECT_TRUE(has(result.err, "using the built-in canary model"));
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "2"}), "4.");
}

TEST(CliGeneration, EndsWhereTheModelEndsItsText) {
  const ChildResult result = run_bitnet(Args{"run", "-p", kStory});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(result.out.ends_with("The end.")) << result.out;
  EXPECT_TRUE(has(result.err, "ended by stop_token"));
  EXPECT_EQ(text_of({"run", "-p", kStory, "-n", "-1"}), result.out);
}

TEST(CliGeneration, PrintsTheSameBytesHoweverItIsComputed) {
  const std::string prompt = kStory + ", a girl named Maya lived near a market. Maya";
  const std::string expected = text_of({"run", "-p", prompt, "-n", "24"});
  EXPECT_EQ(text_of({"run", "-p", prompt, "-n", "24"}), expected);
  for (const char* threads : {"1", "2", "3"}) {
    EXPECT_EQ(text_of({"run", "-p", prompt, "-n", "24", "-t", threads}), expected) << threads << " threads";
  }
  for (const char* chunk : {"1", "7", "128"}) {
    EXPECT_EQ(text_of({"run", "-p", prompt, "-n", "24", "--prefill-chunk", chunk}), expected)
        << "chunks of " << chunk;
  }
  EXPECT_EQ(text_of({"run", "-p", prompt, "-n", "24", "--backend", "scalar"}), expected);
}

TEST(CliGeneration, StopsAfterSoManyTokens) {
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "1"}), "4");
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "0"}), "");
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "0", "--echo"}), "2+2=");
}

// For xargs and loops, whose answers would stand on one line.
TEST(CliGeneration, EndsItsLineInAPipeWhenAskedTo) {
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "2", "--newline"}), "4.\n");
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "0", "--newline"}), "\n");
  EXPECT_EQ(text_of({"run", "-p", "a\n", "-n", "0", "--echo", "--newline"}), "a\n");
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"run", "-p", "a", "--newline", "--json"}), 2), "--newline"));
}

TEST(CliGeneration, StopsBeforeAnyOfTheStopStrings) {
  const ChildResult result = run_bitnet(Args{"run", "-p", kStory, "--stop", "xyz", "--stop", " named"});
  EXPECT_EQ(result.out, ", a girl");
  EXPECT_TRUE(has(result.err, "ended by stop_string"));
}

// --ignore-eos leaves what was asked for by name.
TEST(CliGeneration, StopsAtAControlTokenThatIsNamed) {
  const Args args{"run", "--template", "auto",         "-p",    "What color is the sky?",
                  "-n",  "40",         "--ignore-eos", "--stop"};
  Args alone = args;
  alone.emplace_back("<|eot_id|>");
  const ChildResult result = run_bitnet(alone);
  EXPECT_EQ(result.out, "The sky is blue.");
  EXPECT_TRUE(has(result.err, "ended by stop_token"));
  Args mixed = args;
  mixed.emplace_back("<|eot_id|> ");
  EXPECT_TRUE(has(refusal(run_bitnet(mixed), 2), "holds the control token <|eot_id|> beside other text"));
}

TEST(CliGeneration, TakesAStopStringInBracketsAsItStands) {
  const std::string text = text_of({"run", "-p", kStory, "-n", "8"});
  EXPECT_TRUE(has(text, ","));
  EXPECT_EQ(text_of({"run", "-p", kStory, "-n", "8", "--stop", "[,]"}), text);
}

TEST(CliGeneration, GoesOnBeyondTheEndWhenAskedTo) {
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "8"}), "4.");
  const ChildResult result = run_bitnet(Args{"run", "-p", "2+2=", "-n", "8", "--ignore-eos"});
  EXPECT_GT(result.out.size(), 2U);
  EXPECT_TRUE(result.out.starts_with("4.")) << result.out;
  EXPECT_TRUE(has(result.err, "ended by max_tokens"));
}

TEST(CliGeneration, SaysWhenTheContextIsFull) {
  const ChildResult result = run_bitnet(Args{"run", "-p", kStory, "-c", "16"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(has(result.err, "warning: the text stopped because the context of 16 tokens is full\n"));
}

TEST(CliGeneration, WarnsOfAContextBeyondTheModelsAndTellsWhatHappensThere) {
  const ChildResult result = run_bitnet(Args{"run", "-m", kCanary, "-p", "2+2=", "-n", "2", "-c", "131072"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "4.");
  EXPECT_TRUE(
      has(result.err,
          "warning: --ctx-size 131072: " + kCanary +
              " was made for 512 tokens; what stands further on is like nothing that it has seen, and text "
              "may fall apart there\n"));
  EXPECT_TRUE(
      lacks(run_bitnet(Args{"run", "-m", kCanary, "-p", "2+2=", "-n", "2", "-c", "512"}).err, "--ctx-size"));
}

TEST(CliGeneration, ShowsControlTokensOnlyWhenAskedTo) {
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "3", "--special"}), "4.");  // the stop token is not text
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "3", "--ignore-eos"}), "4.");
  EXPECT_EQ(text_of({"run", "-p", "2+2=", "-n", "3", "--ignore-eos", "--special"}), "4.<|end_of_text|>");
}

TEST(CliGeneration, AnswersAsAChatWithTheModelsTemplate) {
  EXPECT_EQ(text_of({"run", "--template", "auto", "-p", "What color is the sky?"}), "The sky is blue.");
}

TEST(CliGeneration, DrawsTheSameTextFromTheSameSeed) {
  const Args sampled{"run", "-p", kStory, "-n", "12", "--temp", "0.7", "--top-p", "0.95"};
  const auto with_seed = [&](const char* seed) {
    Args args = sampled;
    args.insert(args.end(), {"--seed", seed});
    return text_of(args);
  };
  // Pinned: a seed must mean the same text tomorrow and elsewhere.
  EXPECT_EQ(with_seed("1"), ", a girl named Clara lived near a river. Clara had");
  EXPECT_EQ(with_seed("0"), text_of(sampled));
  EXPECT_NE(with_seed("2"), with_seed("1"));
}

// With -q too: what was asked for cannot be had.
TEST(CliGeneration, RefusesSamplingOptionsThatWouldDoNothing) {
  const Args sum{"run", "-q", "-p", "2+2=", "-n", "1"};
  const auto with = [&](const Args& more) {
    Args args = sum;
    args.insert(args.end(), more.begin(), more.end());
    return args;
  };
  for (const Args& idle : {Args{"--top-k", "3"}, Args{"--top-p", "0.9"}, Args{"--min-p", "0.1"},
                           Args{"--seed", "3"}, Args{"--seed", "random"}}) {
    EXPECT_TRUE(has(refusal(run_bitnet(with(idle)), 2), idle.front() + " has no effect in greedy mode"));
  }
  EXPECT_TRUE(has(refusal(run_bitnet(with({"--repeat-last-n", "8"})), 2), "without --repeat-penalty"));
  // Where temperature 0 was asked for by name, that is what the rest is of.
  EXPECT_EQ(text_of(with({"--temp", "0", "--top-p", "0.9", "--seed", "3"})), "4");
  EXPECT_EQ(text_of(with({"--greedy", "--top-k", "40"})), "4");
}

TEST(CliGeneration, PenalizesRepetitionInGreedyModeWhenAskedTo) {
  const Args story{"run", "-q", "-p", kStory, "-n", "40"};
  const auto with = [&](const Args& more) {
    Args args = story;
    args.insert(args.end(), more.begin(), more.end());
    return text_of(args);
  };
  const std::string plain = text_of(story);
  EXPECT_EQ(with({"--repeat-penalty", "1"}), plain);
  EXPECT_NE(with({"--repeat-penalty", "1.5"}), plain);
  EXPECT_EQ(with({"--repeat-penalty", "1.5", "--repeat-last-n", "0"}), plain);
  EXPECT_NE(with({"--repeat-penalty", "1.5", "--repeat-last-n", "2"}), with({"--repeat-penalty", "1.5"}));
  EXPECT_EQ(with({"--repeat-penalty", "1.5", "--head", "screened"}),
            with({"--repeat-penalty", "1.5", "--head", "exact"}));
}

// The cut is by the model's own probabilities: at any temperature the same few are left.
TEST(CliGeneration, CutsBeforeTheTemperature) {
  const std::string text =
      text_of({"run", "-q", "-p", "The capital of France is", "-n", "4", "--temp", "100", "--min-p", "0.5"});
  EXPECT_EQ(text, " Paris.");
}

TEST(CliGeneration, DrawsARandomSeedAndSaysWhich) {
  const Args sampled{"run", "-p", kStory, "-n", "20", "--temp", "5", "--json"};
  for (const char* random : {"random", "-1"}) {
    Args args = sampled;
    args.insert(args.end(), {"--seed", random});
    const ChildResult first = run_bitnet(args);
    ASSERT_EQ(first.exit_code, 0) << first.err;
    const auto json = parse_json(first.out);
    const std::string seed = std::to_string(json.at("options").at("seed").get<std::uint64_t>());
    EXPECT_TRUE(has(first.err, "info: seed " + seed + "\n"));
    args.back() = seed;
    EXPECT_EQ(run_bitnet(args).out, first.out);
  }
  Args again = sampled;
  again.insert(again.end(), {"--seed", "random"});
  EXPECT_NE(text_of(again), text_of(again));  // the same one time in 2^32
}

}  // namespace
}  // namespace bitnet::test
