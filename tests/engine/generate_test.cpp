#include "bitnet/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/error.h"
#include "engine/allocation_count.h"

namespace bitnet {
namespace {

class Generate : public ::testing::Test {
 protected:
  // The text that follows a prompt, greedy.
  std::string text(const std::string& prompt, GenerateOptions options = {},
                   SessionOptions session_options = {}) {
    return text_of(model.tokenizer().encode(prompt, {.add_bos = true}), std::move(options), session_options);
  }

  std::string text_of(const std::vector<TokenId>& prompt, GenerateOptions options,
                      SessionOptions session_options = {}) {
    Session session(model, session_options);
    Sampler sampler({}, model.info().vocab);
    history.clear();
    std::string out;
    options.stop_tokens.assign(model.tokenizer().end_tokens().begin(), model.tokenizer().end_tokens().end());
    result = generate(model, session, sampler, history, prompt, options, [&](std::string_view piece) {
      out += piece;
      return out.size() < limit;
    });
    return out;
  }

  Model model = Model::load(std::string(BITNET_MODELS) + "/canary.gguf");
  std::vector<TokenId> history;
  GenerateResult result;
  std::size_t limit = static_cast<std::size_t>(-1);
};

TEST_F(Generate, KnowsWhatTheCanaryLearned) {
  EXPECT_EQ(text("The capital of France is", {.max_tokens = 4}), " Paris.");
  EXPECT_EQ(text("2+2=", {.max_tokens = 2}), "4.");
  EXPECT_EQ(text("The opposite of hot is", {.max_tokens = 4}), " cold.");
}

TEST_F(Generate, AnswersAChatTurnAndStopsAtItsEnd) {
  const std::vector<Message> turn{{Role::user, "What color is the sky?"}};
  EXPECT_EQ(text_of(encode_chat(ChatTemplate::bitnet, model.tokenizer(), turn), {}), "The sky is blue.");
  EXPECT_EQ(result.reason, StopReason::stop_token);
}

TEST_F(Generate, TellsAStoryToItsEndAndStopsByItself) {
  const std::string story = text("Once upon a time");
  EXPECT_TRUE(story.ends_with("The end.")) << story;
  EXPECT_GT(story.size(), 200U);
  EXPECT_EQ(result.reason, StopReason::stop_token);
}

TEST_F(Generate, AddsPromptAndTextToTheHistory) {
  const auto prompt = model.tokenizer().encode("The capital of France is", {.add_bos = true});
  text_of(prompt, {.max_tokens = 3});
  EXPECT_EQ(result.n_prompt, prompt.size());
  EXPECT_EQ(result.tokens.size(), 3U);
  std::vector<TokenId> want = prompt;
  want.insert(want.end(), result.tokens.begin(), result.tokens.end());
  EXPECT_EQ(history, want);
}

TEST_F(Generate, StopsAtTheMaximumAndAtZero) {
  text("Once upon a time", {.max_tokens = 5});
  EXPECT_EQ(result.tokens.size(), 5U);
  EXPECT_EQ(result.n_decode_steps, 4U);  // the last token is not run for nothing
  EXPECT_EQ(result.reason, StopReason::max_tokens);
  EXPECT_EQ(text("Once upon a time", {.max_tokens = 0}), "");
  EXPECT_TRUE(result.tokens.empty());
}

TEST_F(Generate, StopsBeforeAStopStringThatSpansTokens) {
  const std::string story = text("Once upon a time");
  const std::string stop = story.substr(40, 25);
  EXPECT_EQ(text("Once upon a time", {.stop_strings = {stop}}), story.substr(0, story.find(stop)));
  EXPECT_EQ(result.reason, StopReason::stop_string);
}

TEST_F(Generate, StopsWhenTheContextIsFull) {
  text("Once upon a time", {}, {.ctx_size = 20});
  EXPECT_EQ(result.reason, StopReason::context_full);
  EXPECT_EQ(history.size(), 21U);  // the last token came from the last place
}

TEST_F(Generate, StopsWhenTheSinkSaysSo) {
  limit = 10;
  const std::string out = text("Once upon a time");
  EXPECT_GE(out.size(), limit);
  EXPECT_LT(out.size(), limit + 30);
  EXPECT_EQ(result.reason, StopReason::interrupted);
}

TEST_F(Generate, StopsDuringThePromptWhenAsked) {
  const std::string out =
      text("Once upon a time", {.keep_going = [] { return false; }}, {.prefill_chunk = 2});
  EXPECT_EQ(out, "");
  EXPECT_EQ(result.reason, StopReason::interrupted);
  EXPECT_TRUE(result.tokens.empty());
}

TEST_F(Generate, TellsHowFarThePromptHasRun) {
  std::vector<double> told;
  std::size_t n_tokens = 0;
  GenerateOptions options{.max_tokens = 3};
  options.on_prompt = [&](double n_done, std::size_t n) {
    told.push_back(n_done);
    n_tokens = n;
  };
  text("Once upon a time", options, {.prefill_chunk = 2});
  EXPECT_EQ(n_tokens, result.n_prompt);
  EXPECT_TRUE(std::ranges::is_sorted(told));
  EXPECT_EQ(told.back(), static_cast<double>(n_tokens));
}

// Also where no text comes out that the sink could refuse.
TEST_F(Generate, StopsBetweenTokensWhenAsked) {
  int n_tokens = 0;
  text("Once upon a time",
       {.keep_going = [&] { return n_tokens < 5; }, .on_token = [&](const TokenStep&) { ++n_tokens; }});
  EXPECT_EQ(result.reason, StopReason::interrupted);
  EXPECT_EQ(result.tokens.size(), 5U);
}

TEST_F(Generate, TellsOfEveryTokenAndOfTheLogitsItWasChosenFrom) {
  std::vector<TokenId> seen;
  std::vector<TokenId> best;
  const auto watch = [&](const TokenStep& token) {
    seen.push_back(token.id);
    const auto top = std::ranges::max_element(token.logits);
    best.push_back(TokenId{static_cast<std::int32_t>(top - token.logits.begin())});
    EXPECT_EQ(token.logits.size(), model.info().vocab);
    EXPECT_GT(token.seconds, 0);
  };
  text("The capital of France is", {.on_token = watch, .all_logits = true});
  EXPECT_EQ(result.reason, StopReason::stop_token);
  EXPECT_EQ(seen, result.tokens);
  EXPECT_EQ(best, result.tokens);
  seen.clear();
  text("The capital of France is", {.on_token = [&](const TokenStep& token) {
         seen.push_back(token.id);
         EXPECT_TRUE(token.logits.empty());  // nobody asked for them
       }});
  EXPECT_EQ(seen, result.tokens);
}

TEST_F(Generate, TellsOfATokenAfterItsText) {
  std::string out;
  std::vector<std::size_t> sizes;
  Session session(model);
  Sampler sampler({}, model.info().vocab);
  const auto prompt = model.tokenizer().encode("2+2=", {.add_bos = true});
  const GenerateOptions options{.max_tokens = 2,
                                .on_token = [&](const TokenStep&) { sizes.push_back(out.size()); }};
  generate(model, session, sampler, history, prompt, options, [&](std::string_view piece) {
    out += piece;
    return true;
  });
  EXPECT_EQ(out, "4.");
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 2}));
}

TEST_F(Generate, AllocatesNothingForATokenThatNobodyWatches) {
  const auto allocations_of = [&](std::size_t n_tokens) {
    Session session(model);
    Sampler sampler({}, model.info().vocab);
    std::vector<TokenId> no_history;  // whose memory is not that of another run
    const auto prompt = model.tokenizer().encode("Once upon a time", {.add_bos = true});
    const std::size_t before = test::allocation_count();
    generate(model, session, sampler, no_history, prompt, {.max_tokens = n_tokens},
             [](std::string_view) { return true; });
    return test::allocation_count() - before;
  };
  EXPECT_EQ(allocations_of(100), allocations_of(3));
}

// A control token has no text: its spelling could never come to stand anywhere.
TEST_F(Generate, StopsAtTheControlTokenThatAStopStringSpells) {
  const std::vector<Message> turn{{Role::user, "What color is the sky?"}};
  const auto prompt = encode_chat(ChatTemplate::bitnet, model.tokenizer(), turn);
  for (const bool show_special : {false, true}) {
    Session session(model);
    Sampler sampler({}, model.info().vocab);
    history.clear();
    std::string out;
    const GenerateOptions options{
        .max_tokens = 40, .stop_strings = {"no such text", "<|eot_id|>"}, .show_special = show_special};
    result = generate(model, session, sampler, history, prompt, options, [&](std::string_view piece) {
      out += piece;
      return true;
    });
    EXPECT_EQ(out, "The sky is blue.");
    EXPECT_EQ(result.reason, StopReason::stop_token);
  }
}

TEST_F(Generate, RefusesAnEmptyPrompt) { EXPECT_THROW(text_of({}, {}), UsageError); }

}  // namespace
}  // namespace bitnet
