// Sequences that run together are those that they are alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/scheduler.h"
#include "bitnet/score.h"
#include "engine/same_bits.h"
#include "support/canary.h"

namespace bitnet {
namespace {

// All that a request's functions see.
struct Heard {
  std::vector<TokenId> prompt;  // but its first token
  std::vector<float> prompt_logits;
  std::vector<TokenId> tokens;
  std::vector<float> logits;
  std::string text;
  std::string text_at_end;
  std::optional<SequenceEnd> end;

  friend bool operator==(const Heard& a, const Heard& b) {
    return a.prompt == b.prompt && same_bits(a.prompt_logits, b.prompt_logits) && a.tokens == b.tokens &&
           same_bits(a.logits, b.logits) && a.text == b.text &&
           a.end->result.reason == b.end->result.reason && a.end->result.tokens == b.end->result.tokens &&
           a.end->result.n_prompt == b.end->result.n_prompt && a.end->error == b.end->error;
  }
};

SequenceRequest heard_by(Heard& heard, SequenceRequest request) {
  request.on_text = [&heard](std::string_view text) {
    heard.text += text;
    return true;
  };
  if (request.on_prompt_token) {
    request.on_prompt_token = [&heard](TokenId id, std::span<const float> logits) {
      EXPECT_TRUE(heard.tokens.empty());
      heard.prompt.push_back(id);
      heard.prompt_logits.insert(heard.prompt_logits.end(), logits.begin(), logits.end());
    };
  }
  request.on_token = [&heard](const TokenStep& token) {
    heard.tokens.push_back(token.id);
    heard.logits.insert(heard.logits.end(), token.logits.begin(), token.logits.end());
  };
  request.on_end = [&heard](const SequenceEnd& end) { heard.end = end; };
  return request;
}

void want_logits_of_prompt(SequenceRequest& request) {
  request.on_prompt_token = [](TokenId, std::span<const float>) {};
}

// What one asks for alone gets, from generate() and score().
Heard alone(const Model& model, SequenceRequest request, std::size_t ctx_size = 0) {
  Heard heard;
  Session session(model, {.ctx_size = ctx_size, .n_threads = 1});
  Sampler sampler(request.sampler, model.info().vocab);
  std::vector<TokenId> history;
  const GenerateOptions options{.max_tokens = request.max_tokens,
                                .stop_tokens = request.stop_tokens,
                                .stop_strings = request.stop_strings,
                                .show_special = request.show_special,
                                .on_token =
                                    [&](const TokenStep& token) {
                                      heard.tokens.push_back(token.id);
                                      heard.logits.insert(heard.logits.end(), token.logits.begin(),
                                                          token.logits.end());
                                    },
                                .all_logits = request.all_logits};
  if (request.on_prompt_token) {
    Session scored(model, {.ctx_size = ctx_size, .n_threads = 1});
    score(model, scored, request.prompt, {.on_token = [&](const ScoredToken& token) {
            heard.prompt.push_back(token.id);
            heard.prompt_logits.insert(heard.prompt_logits.end(), token.logits.begin(), token.logits.end());
          }});
  }
  heard.end.emplace();
  heard.end->result =
      generate(model, session, sampler, history, request.prompt, options, [&](std::string_view text) {
        heard.text += text;
        return true;
      });
  return heard;
}

// Requests of mixed lengths and options, some with a beginning in common.
std::vector<SequenceRequest> mixed_requests(const Model& model, std::size_t n) {
  const std::vector<std::string> texts{"The capital of France is", "Once upon a time there was",
                                       "2 + 2 =", "The capital of Italy is", "a"};
  const std::vector<TokenId> beginning = some_ids(150, model.info().vocab);
  std::vector<SequenceRequest> requests;
  for (std::size_t i = 0; i < n; ++i) {
    SequenceRequest r;
    r.prompt = model.tokenizer().encode(texts[i % texts.size()], {.add_bos = true});
    if (i % 3 == 0) {
      const auto shared = std::span(beginning).first(40 + i * 29 % 111);
      r.prompt.insert(r.prompt.begin(), shared.begin(), shared.end());
    }
    r.max_tokens = i % 11 == 7 ? 0 : 3 + i * 7 % 30;
    if (i % 2 == 1)
      r.sampler = {.temperature = 0.5F + 0.1F * static_cast<float>(i % 7), .top_p = 0.9F, .seed = i};
    if (i % 4 == 3) r.sampler.top_k = 20;
    if (i % 5 == 2) r.sampler.repeat_penalty = 1.2F;
    if (i % 6 == 4) r.stop_strings = {"e "};
    if (i % 3 == 1) r.all_logits = true;
    if (i % 5 == 3) want_logits_of_prompt(r);
    if (i % 4 != 0) {
      r.stop_tokens.assign(model.tokenizer().end_tokens().begin(), model.tokenizer().end_tokens().end());
    }
    requests.push_back(std::move(r));
  }
  return requests;
}

std::vector<Heard> all_alone(const Model& model, const std::vector<SequenceRequest>& requests,
                             std::size_t ctx_size) {
  std::vector<Heard> all;
  for (const SequenceRequest& r : requests) all.push_back(alone(model, r, ctx_size));
  return all;
}

void expect_equal(const std::deque<Heard>& heard, const std::vector<Heard>& expected) {
  ASSERT_EQ(heard.size(), expected.size());
  for (std::size_t i = 0; i < heard.size(); ++i) {
    ASSERT_TRUE(heard[i].end) << "sequence " << i << " has not ended";
    EXPECT_TRUE(heard[i] == expected[i]) << "sequence " << i;
  }
}

TEST(Scheduler, GivesEachSequenceWhatItHasAlone) {
  const Model& model = test::canary();
  const std::vector<SequenceRequest> requests = mixed_requests(model, 64);
  const std::vector<Heard> expected = all_alone(model, requests, 256);
  struct Together {
    std::size_t n_sequences, pass_tokens;
  };
  // The last but one are more sequences than a pass has tokens, the last begin in one pass, all of them.
  for (const auto [n_sequences, pass_tokens] :
       {Together{1, 48}, Together{3, 48}, Together{8, 48}, Together{64, 48}, Together{64, 4096}}) {
    Scheduler scheduler(
        model, {.ctx_size = 256, .n_sequences = n_sequences, .pass_tokens = pass_tokens, .n_threads = 2});
    std::deque<Heard> heard;
    for (const SequenceRequest& r : requests) scheduler.add(heard_by(heard.emplace_back(), r));
    EXPECT_EQ(scheduler.n_waiting(), requests.size());
    std::size_t most = 0;
    while (scheduler.step()) most = std::max(most, scheduler.n_running());
    SCOPED_TRACE(std::to_string(n_sequences) + " at once, in passes of " + std::to_string(pass_tokens));
    EXPECT_LE(most, n_sequences);
    EXPECT_GE(most, n_sequences - n_sequences / 8);  // some end where they begin
    expect_equal(heard, expected);
    EXPECT_EQ(scheduler.kv_tokens_used(), 0);
  }
}

TEST(Scheduler, GivesTheSameWhileOthersComeAndGo) {
  const Model& model = test::canary();
  const std::vector<SequenceRequest> requests = mixed_requests(model, 64);
  const std::vector<Heard> expected = all_alone(model, requests, 256);
  for (const std::size_t n_sequences : {5U, 64U}) {
    Scheduler scheduler(
        model, {.ctx_size = 256, .n_sequences = n_sequences, .prompt_tokens_beside = 7, .n_threads = 2});
    std::deque<Heard> heard;
    std::deque<Heard> gone;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      scheduler.add(heard_by(heard.emplace_back(), requests[i]));
      if (i % 4 == 0) {  // one that its asker loses interest in, some passes later
        const SequenceId id =
            scheduler.add(heard_by(gone.emplace_back(), requests[(i + 5) % requests.size()]));
        for (std::size_t pass = 0; pass < i % 9; ++pass) scheduler.step();
        scheduler.cancel(id);
      }
      if (i % 3 == 0) scheduler.step();
    }
    while (scheduler.step()) {
    }
    SCOPED_TRACE(std::to_string(n_sequences) + " at once");
    expect_equal(heard, expected);
    for (const Heard& one : gone) EXPECT_TRUE(one.end);
    EXPECT_EQ(scheduler.kv_tokens_used(), 0);
  }
}

TEST(Scheduler, GoesOnWithSequencesThatLostTheirMemory) {
  const Model& model = test::canary();
  std::vector<SequenceRequest> requests = mixed_requests(model, 12);
  for (SequenceRequest& r : requests) r.max_tokens += r.max_tokens == 0 ? 0 : 60;
  const std::vector<Heard> expected = all_alone(model, requests, 256);
  for (const bool share : {true, false}) {
    Scheduler scheduler(
        model,
        {.ctx_size = 256, .n_sequences = 12, .kv_tokens = 320, .share_prefixes = share, .n_threads = 2});
    std::deque<Heard> heard;
    for (const SequenceRequest& r : requests) scheduler.add(heard_by(heard.emplace_back(), r));
    while (scheduler.step()) EXPECT_LE(scheduler.kv_tokens_used(), scheduler.kv_tokens());
    expect_equal(heard, expected);
    EXPECT_GT(scheduler.counts().n_put_back, 0);
    EXPECT_EQ(scheduler.kv_tokens_used(), 0);
  }
}

TEST(Scheduler, LetsAPromptWaitThatHasNoRoomBesideOthers) {
  const Model& model = test::canary();
  SequenceRequest request;
  request.max_tokens = 2;
  Scheduler scheduler(model, {.ctx_size = 128, .n_sequences = 2, .kv_tokens = 128, .n_threads = 1});
  std::deque<Heard> heard;
  for (const std::size_t first : {0U, 1U}) {
    request.prompt = some_ids(100 + first, model.info().vocab);
    std::ranges::reverse(request.prompt);  // with no beginning in common
    scheduler.add(heard_by(heard.emplace_back(), request));
  }
  ASSERT_TRUE(scheduler.step());
  EXPECT_EQ(scheduler.n_running(), 1U);
  EXPECT_EQ(scheduler.n_waiting(), 1U);
  while (scheduler.step()) {
  }
  EXPECT_EQ(scheduler.counts().n_put_back, 0);
  for (const Heard& h : heard) EXPECT_TRUE(h.end && h.end->error.empty());
}

TEST(Scheduler, EndsACancelledSequenceInTheNextStepAndNoOther) {
  const Model& model = test::canary();
  SequenceRequest request;
  request.prompt = model.tokenizer().encode("Once upon a time", {.add_bos = true});
  request.max_tokens = 40;
  Scheduler scheduler(model, {.ctx_size = 256, .n_threads = 1});
  Heard cancelled;
  Heard other;
  const SequenceId id = scheduler.add(heard_by(cancelled, request));
  scheduler.add(heard_by(other, request));
  ASSERT_TRUE(scheduler.step());
  ASSERT_FALSE(cancelled.end);
  scheduler.cancel(id);
  ASSERT_TRUE(scheduler.step());
  ASSERT_TRUE(cancelled.end);
  EXPECT_EQ(cancelled.end->result.reason, StopReason::interrupted);
  EXPECT_EQ(scheduler.n_running(), 1U);
  while (scheduler.step()) {
  }
  ASSERT_TRUE(other.end);
  EXPECT_EQ(other.end->result.reason, StopReason::max_tokens);
}

TEST(Scheduler, RunsABeginningThatSequencesShareOnce) {
  const Model& model = test::canary();
  const std::vector<TokenId> beginning = some_ids(150, model.info().vocab);
  std::vector<SequenceRequest> requests;
  for (std::int32_t i = 0; i < 6; ++i) {
    SequenceRequest r{.prompt = beginning};
    r.prompt.insert(r.prompt.end(), {TokenId{10 + i}, TokenId{20 + 3 * i}});
    r.max_tokens = 5;
    r.all_logits = true;
    requests.push_back(r);
  }
  const std::vector<Heard> expected = all_alone(model, requests, 256);
  Scheduler scheduler(model, {.ctx_size = 256, .n_sequences = 6, .pass_tokens = 40, .n_threads = 2});
  std::deque<Heard> heard;
  for (const SequenceRequest& r : requests) scheduler.add(heard_by(heard.emplace_back(), r));
  while (scheduler.step()) {
  }
  expect_equal(heard, expected);
  EXPECT_EQ(scheduler.counts().n_prompt_tokens, 152 + 5 * 2);
  EXPECT_EQ(scheduler.counts().n_cached_tokens, 5 * 150);
  EXPECT_EQ(heard[0].end->result.n_cached, 0);
  EXPECT_EQ(heard[5].end->result.n_cached, 150);
}

TEST(Scheduler, RunsOfANextTurnOnlyWhatIsNew) {
  const Model& model = test::canary();
  Scheduler scheduler(model, {.ctx_size = 256, .n_sequences = 2, .n_threads = 1});
  SequenceRequest first{.prompt = some_ids(90, model.info().vocab), .max_tokens = 20};
  Heard before;
  scheduler.add(heard_by(before, first));
  while (scheduler.step()) {
  }
  SequenceRequest next{.prompt = first.prompt, .max_tokens = 4, .all_logits = true};
  next.prompt.insert(next.prompt.end(), before.tokens.begin(), before.tokens.end());
  next.prompt.push_back(TokenId{33});
  Heard after;
  scheduler.add(heard_by(after, next));
  while (scheduler.step()) {
  }
  EXPECT_TRUE(after == alone(model, next, 256));
  // The last token of an answer is chosen and not run.
  EXPECT_EQ(after.end->result.n_cached, 90 + 19);
}

TEST(Scheduler, TellsTheLogitsOfAPromptThatOthersHaveRunBefore) {
  const Model& model = test::canary();
  SequenceRequest request{.prompt = some_ids(150, model.info().vocab), .max_tokens = 5};
  Scheduler scheduler(model, {.ctx_size = 256, .n_sequences = 2, .pass_tokens = 40, .n_threads = 2});
  std::deque<Heard> heard;
  scheduler.add(heard_by(heard.emplace_back(), request));
  want_logits_of_prompt(request);
  for (const std::size_t max_tokens : {0U, 5U, 5U}) {
    request.max_tokens = max_tokens;
    scheduler.add(heard_by(heard.emplace_back(), request));
    while (scheduler.step()) {
    }
    EXPECT_EQ(heard.back().prompt.size(), 149);
    EXPECT_TRUE(heard.back() == alone(model, request, 256)) << max_tokens;
    EXPECT_EQ(heard.back().end->result.n_cached, 0);
  }
}

TEST(Scheduler, EndsTheSequenceWhoseFunctionThrowsAndNoOther) {
  const Model& model = test::canary();
  const std::vector<SequenceRequest> requests = mixed_requests(model, 3);
  Scheduler scheduler(model, {.ctx_size = 256, .n_threads = 1});
  std::deque<Heard> heard;
  for (const SequenceRequest& r : requests) scheduler.add(heard_by(heard.emplace_back(), r));
  Heard broken;
  SequenceRequest breaks = heard_by(broken, requests[0]);
  breaks.on_text = [](std::string_view) -> bool { throw std::runtime_error("no paper left"); };
  scheduler.add(breaks);
  while (scheduler.step()) {
  }
  expect_equal(heard, all_alone(model, requests, 256));
  ASSERT_TRUE(broken.end);
  EXPECT_EQ(broken.end->error, "no paper left");
  EXPECT_EQ(broken.end->result.reason, StopReason::interrupted);
  Heard silent;
  SequenceRequest ends_in_prompt = heard_by(silent, requests[0]);
  ends_in_prompt.on_prompt_token = [](TokenId, std::span<const float>) {
    throw std::runtime_error("no paper left");
  };
  scheduler.add(ends_in_prompt);
  while (scheduler.step()) {
  }
  ASSERT_TRUE(silent.end);
  EXPECT_EQ(silent.end->error, "no paper left");
  EXPECT_EQ(silent.end->result.reason, StopReason::interrupted);
  EXPECT_TRUE(silent.tokens.empty());
}

TEST(Scheduler, LetsFunctionsOfARequestAddAndCancel) {
  const Model& model = test::canary();
  const std::vector<SequenceRequest> requests = mixed_requests(model, 2);
  Scheduler scheduler(model, {.ctx_size = 256, .n_sequences = 1, .n_threads = 1});
  Heard first;
  Heard second;
  Heard third;
  SequenceRequest adds = heard_by(first, requests[0]);
  SequenceId last = 0;
  adds.on_end = [&](const SequenceEnd& end) {
    first.end = end;
    scheduler.add(heard_by(second, requests[1]));
    last = scheduler.add(heard_by(third, requests[1]));
    scheduler.cancel(last);
  };
  scheduler.add(adds);
  while (scheduler.step()) {
  }
  EXPECT_TRUE(first == alone(model, requests[0], 256));
  EXPECT_TRUE(second == alone(model, requests[1], 256));
  ASSERT_TRUE(third.end);
  EXPECT_EQ(third.end->result.reason, StopReason::interrupted);
  EXPECT_EQ(third.text, "");
}

TEST(Scheduler, EndsAtTheEndOfTheContext) {
  const Model& model = test::canary();
  const SequenceRequest request{.prompt = some_ids(60, model.info().vocab)};
  for (const std::size_t ctx_size : {61U, 64U, 65U, 130U}) {
    Scheduler scheduler(model, {.ctx_size = ctx_size, .n_threads = 1});
    Heard heard;
    scheduler.add(heard_by(heard, request));
    while (scheduler.step()) {
    }
    ASSERT_TRUE(heard.end);
    EXPECT_EQ(heard.end->result.reason, StopReason::context_full) << ctx_size;
    EXPECT_TRUE(heard == alone(model, request, ctx_size)) << ctx_size;
  }
}

TEST(Scheduler, RefusesWhatASessionWouldRefuse) {
  const Model& model = test::canary();
  Scheduler scheduler(model, {.ctx_size = 64, .n_threads = 1});
  const std::vector<TokenId> one{TokenId{1}};
  EXPECT_THROW(scheduler.add({}), UsageError);
  EXPECT_THROW(scheduler.add({.prompt = some_ids(65, 300)}), UsageError);
  EXPECT_THROW(scheduler.add({.prompt = {TokenId{1 << 30}}}), UsageError);
  EXPECT_THROW(scheduler.add({.prompt = one, .sampler = {.temperature = -1.0F}}), OptionError);
  EXPECT_THROW(scheduler.add({.prompt = one, .stop_strings = {""}}), UsageError);
  EXPECT_EQ(scheduler.n_waiting(), 0);
  EXPECT_FALSE(scheduler.step());
  scheduler.cancel(17);
  EXPECT_FALSE(scheduler.step());
}

TEST(Scheduler, NamesTheOptionThatIsOutOfRange) {
  const Model& model = test::canary();
  const auto refused = [&](const SchedulerOptions& options) {
    try {
      Scheduler scheduler(model, options);
    } catch (const OptionError& e) {
      return std::string(e.option());
    }
    return std::string();
  };
  EXPECT_EQ(refused({.n_sequences = 0}), "n_sequences");
  EXPECT_EQ(refused({.n_sequences = 1025}), "n_sequences");
  EXPECT_EQ(refused({.pass_tokens = 0}), "pass_tokens");
  EXPECT_EQ(refused({.pass_tokens = 4097}), "pass_tokens");
  EXPECT_EQ(refused({.prompt_tokens_beside = 0}), "prompt_tokens_beside");
  EXPECT_EQ(refused({.ctx_size = 256, .kv_tokens = 255}), "kv_tokens");
  EXPECT_EQ(refused({.ctx_size = 1U << 30}), "ctx_size");
}

}  // namespace
}  // namespace bitnet
