// Log-probabilities of given tokens, against the softmax of the logits by itself.
#include "bitnet/score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "support/canary.h"

namespace bitnet {
namespace {

std::vector<TokenId> encode(const std::string& text, bool add_bos = true) {
  return test::canary().tokenizer().encode(text, {.add_bos = add_bos});
}

TEST(Score, IsTheLogarithmOfTheSoftmaxOfEachToken) {
  const std::vector<TokenId> ids = encode("The capital of France is Paris.");
  std::vector<double> expected;
  Session plain(test::canary());
  plain.run_all(ids, [&](Position at, std::span<const float> logits) {
    if (to_index(at) + 1 == ids.size()) return;
    double total = 0;
    for (const float x : logits) total += std::exp(static_cast<double>(x));
    expected.push_back(static_cast<double>(logits[to_index(ids[to_index(at) + 1])]) - std::log(total));
  });

  Session session(test::canary());
  std::vector<double> logprobs;
  ScoreOptions options;
  options.on_token = [&](const ScoredToken& token) {
    EXPECT_EQ(token.index, logprobs.size() + 1);
    EXPECT_EQ(token.id, ids[token.index]);
    EXPECT_EQ(token.logits.size(), test::canary().info().vocab);
    logprobs.push_back(token.logprob);
  };
  const Score all = score(test::canary(), session, ids, options);
  ASSERT_EQ(logprobs.size(), expected.size());
  double sum = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(logprobs[i], expected[i], 1e-5);
    sum += expected[i];
  }
  EXPECT_EQ(all.n_tokens, ids.size() - 1);
  EXPECT_EQ(all.n_bytes, std::string("The capital of France is Paris.").size());  // BOS has none
  EXPECT_NEAR(all.logprob, sum, 1e-4);
  EXPECT_NEAR(all.mean(), sum / static_cast<double>(all.n_tokens), 1e-5);
  EXPECT_NEAR(all.bits_per_byte(), -sum / std::log(2.0) / 31, 1e-5);
  EXPECT_NEAR(all.perplexity(), std::exp(-all.mean()), 1e-12);
}

TEST(Score, OfAContinuationAddsUpWithThatOfWhatStandsBeforeIt) {
  const std::vector<TokenId> ids = encode("Once upon a time, there was a girl named Maya.");
  constexpr std::size_t kFirst = 5;
  Session session(test::canary(), {.prefill_chunk = 3});
  const double whole = score(test::canary(), session, ids).logprob;
  session.rewind(Position{0});
  const double head = score(test::canary(), session, std::span(ids).first(kFirst)).logprob;
  session.rewind(Position{0});
  const Score tail = score(test::canary(), session, ids, {.first = kFirst});
  EXPECT_EQ(tail.n_tokens, ids.size() - kFirst);
  EXPECT_NEAR(head + tail.logprob, whole, 1e-9);
  // Behind what the session holds already.
  session.rewind(Position{kFirst - 1});
  EXPECT_EQ(score(test::canary(), session, std::span(ids).subspan(kFirst - 1)).logprob, tail.logprob);
}

TEST(Score, PrefersWhatIsTrue) {
  const std::vector<TokenId> prompt = encode("The capital of France is");
  const auto score_of = [&](const char* text) {
    std::vector<TokenId> ids = prompt;
    for (const TokenId id : encode(text, false)) ids.push_back(id);
    Session session(test::canary());
    return score(test::canary(), session, ids, {.first = prompt.size()}).bits_per_byte();
  };
  EXPECT_LT(score_of(" Paris."), score_of(" Rome."));
  EXPECT_LT(score_of(" Paris."), score_of(" Madrid."));
}

TEST(Score, OfNothingIsNothing) {
  Session session(test::canary());
  const Score none = score(test::canary(), session, std::span<const TokenId>());
  EXPECT_EQ(none.n_tokens, 0U);
  EXPECT_TRUE(std::isnan(none.mean()));
  EXPECT_TRUE(std::isnan(none.bits_per_byte()));
  EXPECT_EQ(score(test::canary(), session, encode("")).n_tokens, 0U);  // BOS alone
}

TEST(Score, EndsWhenToldTo) {
  const std::vector<TokenId> ids = encode(std::string(400, 'x'));
  ScoreOptions options;
  int n_questions = 0;
  options.keep_going = [&] { return ++n_questions < 3; };
  Session session(test::canary());
  EXPECT_EQ(score(test::canary(), session, ids, options).n_tokens, 64U);
}

TEST(Score, RefusesWhatCannotBeScored) {
  Session session(test::canary(), {.ctx_size = 8});
  const auto refused = [&](std::vector<TokenId> ids, const ScoreOptions& options = {}) {
    EXPECT_THROW((void)score(test::canary(), session, ids, options), UsageError);
  };
  refused({TokenId{5}, TokenId{1024}});
  refused({TokenId{5}, TokenId{-1}});
  refused({TokenId{1024}, TokenId{5}});
  refused({TokenId{5}, TokenId{6}}, {.first = 0});
  refused(std::vector<TokenId>(10, TokenId{5}));
  EXPECT_EQ(session.position(), Position{0});
  EXPECT_EQ(score(test::canary(), session, std::vector<TokenId>(9, TokenId{5})).n_tokens, 8U);
}

}  // namespace
}  // namespace bitnet
