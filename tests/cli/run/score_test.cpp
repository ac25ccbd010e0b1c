// bitnet run --score and --choice: what is said of a text that is given.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/json_schema.h"
#include "cli/runner.h"
#include "support/parse_json.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;

const Args kSentence{"run", "-q", "-p", "The capital of France is Paris.", "--score"};
const Args kQuestion{"run", "-q", "-p", "The capital of France is"};

Json score_object(const Args& args) {
  const Json json = parse_json(text_of(with(args, {"--json"})));
  EXPECT_EQ(violations(load_schema("score"), json), "");
  return json;
}

TEST(RunScore, TellsOfEveryTokenOfTheText) {
  EXPECT_EQ(misfits("score", score_object(kSentence)), "");
  const Json json = score_object(with(kSentence, {"--logprobs", "2"}));
  const Json& prompt = json.at("prompt");
  const Json& tokens = prompt.at("tokens");
  ASSERT_EQ(tokens.size(), prompt.at("ids").size());
  EXPECT_TRUE(tokens.at(0).at("logprob").is_null());
  EXPECT_TRUE(tokens.at(0).at("top").is_null());
  double sum = 0;
  std::string text;
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    const double logprob = tokens.at(i).at("logprob");
    EXPECT_LE(logprob, 0);
    EXPECT_GE(tokens.at(i).at("top").at(0).at("logprob"), logprob);
    sum += logprob;
    text += tokens.at(i).at("piece");
  }
  EXPECT_EQ(text, "The capital of France is Paris.");
  const Json& score = prompt.at("score");
  EXPECT_EQ(score.at("tokens"), tokens.size() - 1);
  EXPECT_EQ(score.at("bytes"), text.size());
  EXPECT_NEAR(score.at("logprob"), sum, 1e-9);
  EXPECT_NEAR(score.at("bits_per_byte"), -sum / std::log(2.0) / 31, 1e-9);
  EXPECT_TRUE(json.at("best").is_null());
}

// The tokens that were generated are scored as --logprobs said when they were.
TEST(RunScore, AgreesWithTheLogprobsOfGeneratedTokens) {
  const Json run = parse_json(text_of(with(kQuestion, {"-n", "3", "--json", "--logprobs", "0"})));
  const Json scored = score_object(kSentence).at("prompt").at("tokens");
  const std::size_t n_prompt = run.at("prompt").at("ids").size();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(scored.at(n_prompt + i).at("id"), run.at("tokens").at(i).at("id"));
    EXPECT_EQ(scored.at(n_prompt + i).at("logprob"), run.at("tokens").at(i).at("logprob"));
  }
}

TEST(RunScore, IsTheSameHoweverItIsComputed) {
  const Args args = with(kSentence, {"--json", "--choice", " It is", "--choice", "."});
  const std::string expected = text_of(args);
  EXPECT_EQ(text_of(with(args, {"--backend", "scalar", "-t", "1"})), expected);
  EXPECT_EQ(text_of(with(args, {"--prefill-chunk", "3", "-t", "2"})), expected);
}

TEST(RunScore, PicksTheLikeliestChoice) {
  const Json json =
      score_object(with(kQuestion, {"--choice", " Rome.", "--choice", " Paris.", "--choice", " M"}));
  EXPECT_EQ(misfits("score", json), "");
  EXPECT_EQ(json.at("best").at("logprob"), 1);
  const Json& paris = json.at("choices").at(1);
  EXPECT_EQ(paris.at("text"), " Paris.");
  EXPECT_EQ(paris.at("from"), json.at("prompt").at("ids").size());
  EXPECT_EQ(paris.at("score").at("bytes"), 7);
  // As part of the whole sentence.
  const Json sentence = score_object(kSentence).at("prompt").at("tokens");
  for (std::size_t i = 0; i < paris.at("tokens").size(); ++i) {
    EXPECT_EQ(paris.at("tokens").at(i), sentence.at(paris.at("from").get<std::size_t>() + i));
  }
}

// Where prompt and choice make one token together, it is the choice's; the order of choices changes nothing.
TEST(RunScore, CutsWhereTheTokensDo) {
  const Args prompt{"run", "-q", "-p", "The capital of Fr"};
  const Json one = score_object(with(prompt, {"--choice", "ance is", "--choice", "iend"}));
  const Json other = score_object(with(prompt, {"--choice", "iend", "--choice", "ance is"}));
  EXPECT_LT(one.at("choices").at(0).at("from"), one.at("prompt").at("ids").size());
  EXPECT_EQ(one.at("choices").at(0), other.at("choices").at(1));
  EXPECT_EQ(one.at("choices").at(1), other.at("choices").at(0));
}

TEST(RunScore, ScoresChoicesWithoutAPrompt) {
  const Json json =
      score_object({"run", "-q", "--choice", "Once upon a time", "--choice", "time a upon Once"});
  EXPECT_EQ(json.at("best").at("logprob"), 0);
  EXPECT_EQ(json.at("best").at("bits_per_byte"), 0);
  EXPECT_EQ(json.at("prompt").at("text"), "");
}

TEST(RunScore, AnswersInTheModelsTemplate) {
  const Json json = score_object(
      {"run", "-q", "--template", "auto", "-p", "What is 2+2?", "--choice", "2+2=5.", "--choice", "2+2=4."});
  EXPECT_EQ(json.at("best").at("logprob"), 1);
  EXPECT_EQ(json.at("options").at("template"), "bitnet");
}

TEST(RunScore, IsReadableToo) {
  const std::string text = text_of(kSentence);
  const std::vector<std::string> lines = lines_of(text);
  EXPECT_TRUE(has(lines.at(0), "probability"));
  EXPECT_TRUE(has(lines.at(1), "<|begin_of_text|>"));
  EXPECT_TRUE(has(lines.back(), " bits per byte over 31 bytes; perplexity "));
  const std::string choices = text_of(with(kQuestion, {"--choice", " Paris.", "--choice", " Rome."}));
  EXPECT_TRUE(has(choices, "best                   Paris.\n"));
}

TEST(RunScore, RefusesWhatItCannotHonour) {
  const auto error = [](const Args& args) { return refusal(run_bitnet(args), 2); };
  EXPECT_TRUE(has(error({"run", "--score", "-p", ""}), "no token to score"));
  EXPECT_TRUE(has(error({"run", "--score"}), "no prompt"));
  for (const Args& idle : {Args{"-n", "3"}, Args{"--temp", "1"}, Args{"--seed", "3"}, Args{"--stop", "x"},
                           Args{"--echo"}, Args{"--ignore-eos"}, Args{"--jsonl"},
                           Args{"--repeat-penalty", "1.1"}, Args{"--receipt", "/tmp/none"}}) {
    EXPECT_TRUE(has(error(with(kSentence, idle)), idle.front())) << idle.front();
  }
  EXPECT_TRUE(has(error(with(kSentence, {"--logprobs", "3"})), "--json"));
  EXPECT_TRUE(has(error(with(kQuestion, {"--choice", ""})), "--choice"));
  EXPECT_TRUE(has(error(with(kSentence, {"-c", "4"})), "--ctx-size"));
}

}  // namespace
}  // namespace bitnet::test
