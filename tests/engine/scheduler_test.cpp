// Sequences that run together are those that they are alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/scheduler.h"
#include "engine/same_bits.h"
#include "support/canary.h"

namespace bitnet {
namespace {

// All that a request's functions see.
struct Heard {
  std::vector<TokenId> tokens;
  std::vector<float> logits;
  std::string text;
  std::string text_at_end;
  std::optional<SequenceEnd> end;

  friend bool operator==(const Heard& a, const Heard& b) {
    return a.tokens == b.tokens && same_bits(a.logits, b.logits) && a.text == b.text &&
           a.end->result.reason == b.end->result.reason && a.end->result.tokens == b.end->result.tokens &&
           a.end->result.n_prompt == b.end->result.n_prompt && a.end->error == b.end->error;
  }
};

SequenceRequest heard_by(Heard& heard, SequenceRequest request) {
  request.on_text = [&heard](std::string_view text) {
    heard.text += text;
    return true;
  };
  request.on_token = [&heard](const TokenStep& token) {
    heard.tokens.push_back(token.id);
    heard.logits.insert(heard.logits.end(), token.logits.begin(), token.logits.end());
  };
  request.on_end = [&heard](const SequenceEnd& end) { heard.end = end; };
  return request;
}

// What one asks for alone gets, from generate().
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
    if (i % 4 != 0) {
      r.stop_tokens.assign(model.tokenizer().end_tokens().begin(), model.tokenizer().end_tokens().end());
    }
    requests.push_back(std::move(r));
  }
  return requests;
}

TEST(Scheduler, GivesEachSequenceWhatItHasAlone) {
  const Model& model = test::canary();
  const std::vector<SequenceRequest> requests = mixed_requests(model, 24);
  std::vector<Heard> expected;
  for (const SequenceRequest& r : requests) expected.push_back(alone(model, r, 256));
  for (const std::size_t n_sequences : {1, 3, 8, 24}) {
    Scheduler scheduler(model,
                        {.ctx_size = 256, .n_sequences = n_sequences, .pass_tokens = 48, .n_threads = 2});
    std::deque<Heard> heard;
    for (const SequenceRequest& r : requests) scheduler.add(heard_by(heard.emplace_back(), r));
    EXPECT_EQ(scheduler.n_waiting(), requests.size());
    while (scheduler.step()) EXPECT_LE(scheduler.n_running(), n_sequences);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      ASSERT_TRUE(heard[i].end) << i;
      EXPECT_TRUE(heard[i] == expected[i]) << "sequence " << i << " of " << n_sequences << " at once";
    }
    EXPECT_EQ(scheduler.kv_tokens_used(), 0);
  }
}

}  // namespace
}  // namespace bitnet
