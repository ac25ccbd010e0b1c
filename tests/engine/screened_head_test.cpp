// The screened head against the exact one: a promise of the same tokens and the same logits.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/generate.h"
#include "engine/session_impl.h"
#include "support/block_types.h"
#include "support/samplers.h"
#include "support/small_model.h"

namespace bitnet {
namespace {

Model load(HeadKind head) {
  return Model::load(std::string(BITNET_MODELS) + "/canary.gguf", {.n_threads = 2, .head = head});
}

// What a query asks for, by sorting all logits.
std::vector<Candidate> by_sorting(std::span<const float> logits, const CandidateQuery& query) {
  std::vector<Candidate> all;
  for (std::size_t i = 0; i < logits.size(); ++i)
    all.push_back({TokenId{static_cast<std::int32_t>(i)}, logits[i]});
  std::ranges::stable_sort(all, [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
  std::vector<Candidate> kept;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool near = query.within && all[i].logit >= all[0].logit - *query.within;
    const bool also = std::ranges::find(query.also, all[i].id) != query.also.end();
    if (i < query.n_best || near || also) kept.push_back(all[i]);
  }
  std::ranges::sort(kept, {}, [](const Candidate& c) { return to_int(c.id); });
  return kept;
}

bool same(std::span<const Candidate> a, std::span<const Candidate> b) {
  return std::ranges::equal(
      a, b, [](const Candidate& x, const Candidate& y) { return x.id == y.id && x.logit == y.logit; });
}

TEST(ScreenedHead, GivesTheBestLogitsOfTheExactHeadAtTwoThousandPositions) {
  const Model model = load(HeadKind::screened);
  ASSERT_EQ(model.info().head.kind, HeadKind::screened);
  Sampler sampler({.temperature = 1.0F, .top_k = 40, .seed = 5}, model.info().vocab);
  Session session(model, {.n_threads = 2});
  std::size_t n_positions = 0;
  HeadSearchCounts one;
  for (const char* beginning :
       {"Once upon a time", "What is the capital of France?", "The cat", "2 + 2", "A"}) {
    session.rewind(Position{0});
    std::vector<TokenId> next = model.tokenizer().encode(beginning);
    while (to_index(session.position()) + next.size() <= session.ctx_size()) {
      session.advance(next);
      session.impl().search.take_counts();
      const CandidateQuery best{.n_best = 1};
      const std::vector<Candidate> found_one = [&] {
        const auto c = session.candidates(best);
        return std::vector<Candidate>(c.begin(), c.end());
      }();
      const HeadSearchCounts counts = session.impl().search.take_counts();
      one.whole += counts.whole;
      one.full += counts.full;
      const CandidateQuery some{.n_best = 40, .also = next};
      const std::vector<Candidate> found_some = [&] {
        const auto c = session.candidates(some);
        return std::vector<Candidate>(c.begin(), c.end());
      }();
      const std::span<const float> logits = session.logits();
      ASSERT_TRUE(same(found_one, by_sorting(logits, best))) << beginning << " " << n_positions;
      ASSERT_TRUE(same(found_some, by_sorting(logits, some))) << beginning << " " << n_positions;
      next = {*sampler.sample(logits, {})};
      ++n_positions;
    }
  }
  EXPECT_GE(n_positions, 2000U);
  EXPECT_EQ(one.whole, 0U);
  // A trained model's best stands out.
  EXPECT_LT(one.full, n_positions * model.info().vocab / 20);
}

// After each token of a chunk, as after each of tokens that come one by one.
TEST(ScreenedHead, GivesTheBestLogitsOfSeveralTokensAtOnce) {
  const Model exact = load(HeadKind::exact);
  const Model screened = load(HeadKind::screened);
  const std::vector<TokenId> ids = exact.tokenizer().encode("Once upon a time there was a little cat who");
  const std::vector<TokenId> also{TokenId{5}, TokenId{900}};
  const std::vector<CandidateQuery> kinds{{.n_best = 1}, {.n_best = 40, .also = also}, {.n_best = 500}};
  std::vector<std::vector<float>> logits;
  Session one(exact, {.n_threads = 1});
  for (const TokenId& id : ids) {
    const auto row = one.run({&id, 1});
    logits.emplace_back(row.begin(), row.end());
  }
  for (const Model* model : {&exact, &screened}) {
    for (const CandidateQuery& query : kinds) {
      Session session(*model, {.n_threads = 2});
      session.advance(ids);
      for (std::size_t i = 0; i < ids.size(); ++i) {
        EXPECT_TRUE(same(session.candidates(query, ids.size() - 1 - i), by_sorting(logits[i], query))) << i;
        // Another query between two alike, and logits, are nothing to them.
        if (i % 4 == 2) session.candidates({.n_best = 2}, ids.size() - 1 - i);
        if (i % 4 == 3) session.logits(ids.size() - 1 - i);
      }
    }
  }
}

// Of guesses the head is read once for all, as far as one pass over it takes them.
TEST(ScreenedHead, IsReadOnceForSeveralTokens) {
  const Model model = load(HeadKind::screened);
  const std::vector<TokenId> ids = model.tokenizer().encode("Once upon a time there");
  ASSERT_GE(ids.size(), 3U);
  Session session(model, {.n_threads = 2});
  session.advance(ids);
  session.impl().search.take_counts();
  session.candidates({.n_best = 1}, 2);
  EXPECT_EQ(session.impl().search.take_counts().searches, 3U);
  for (const std::size_t n_back : {1U, 0U}) session.candidates({.n_best = 1}, n_back);
  EXPECT_EQ(session.impl().search.take_counts().searches, 0U);
}

TEST(ScreenedHead, GeneratesTheTokensOfTheExactHead) {
  const Model exact = load(HeadKind::exact);
  const Model screened = load(HeadKind::screened);
  for (const SamplerOptions& options : test::samplers_of_all_kinds()) {
    const auto tokens_of = [&](const Model& model) {
      Sampler sampler(options, model.info().vocab);
      Session session(model, {.n_threads = 2});
      std::vector<TokenId> history;
      const auto prompt = model.tokenizer().encode("Once upon a time");
      return generate(model, session, sampler, history, prompt, {.max_tokens = 150},
                      [](std::string_view) { return true; })
          .tokens;
    };
    EXPECT_EQ(tokens_of(exact), tokens_of(screened)) << options.seed;
  }
}

// Neither has a screen: candidates come from all logits.
TEST(ScreenedHead, OfATernaryHeadOrOneOfFewBitsIsTheExactOne) {
  test::SmallTensor ternary{"output.weight", {128, 300}, test::kI2S, {}};
  ternary.draw(5);
  test::SmallTensor four_bits{"output.weight", {128, 300}, test::kQ4_0, {}};
  four_bits.data = test::random_blocks(test::kQ4_0, 128 * 300, 5).bytes;
  for (const test::SmallTensor& head : {ternary, four_bits}) {
    test::SmallModel small("llama");
    small.add(head);
    const test::AlignedBytes file = small.build();
    const Model model = Model::from_bytes(file.span(), "small head", {.head = HeadKind::screened});
    ASSERT_EQ(model.info().head.kind, HeadKind::exact);
    Session session(model);
    const std::vector<TokenId> ids{TokenId{5}, TokenId{9}};
    const CandidateQuery query{.n_best = 7};
    session.advance(ids);
    const auto found = session.candidates(query);
    const std::vector<Candidate> kept(found.begin(), found.end());
    EXPECT_TRUE(same(kept, by_sorting(session.logits(), query)));
  }
}

TEST(ScreenedHead, IsRefusedAQueryForNothing) {
  const Model model = load(HeadKind::screened);
  Session session(model);
  const std::vector<TokenId> ids{TokenId{5}};
  session.advance(ids);
  EXPECT_THROW(session.candidates({.n_best = 0}), UsageError);
}

TEST(SamplerQuery, IsEnoughToChooseTheSameToken) {
  constexpr std::size_t kVocab = 600;
  std::mt19937 rng(3);
  std::normal_distribution<float> normal(0, 3);
  const std::vector<SamplerOptions> samplers{
      {},
      {.temperature = 1.0F, .top_k = 1},
      {.temperature = 1.5F, .top_k = 40, .top_p = 0.9F},
      {.temperature = 2.0F, .top_k = 100, .min_p = 0.03F, .repeat_penalty = 1.5F},
      {.temperature = 2.0F, .top_k = 5, .repeat_penalty = 0.5F},
      {.temperature = 0.7F, .min_p = 0.05F},
      {.temperature = 3.0F, .min_p = 0.001F},
      {.temperature = 1e-30F, .min_p = 0.5F},
      {.temperature = 1e30F, .min_p = 0.3F},
      {.repeat_penalty = 1.5F},
      {.repeat_penalty = 0.5F, .repeat_window = 3},
      {.repeat_penalty = 4.0F, .repeat_window = -1}};
  for (const SamplerOptions& options : samplers) {
    Sampler from_all(options, kVocab);
    Sampler from_some(options, kVocab);
    std::vector<TokenId> history;
    for (int i = 0; i < 200; ++i) {
      std::vector<float> logits(kVocab);
      for (float& x : logits) x = normal(rng);
      const auto query = from_some.query(history);
      ASSERT_TRUE(query);
      const auto id = from_all.sample(logits, history);
      ASSERT_EQ(from_some.sample(by_sorting(logits, *query), history), id) << options.temperature << " " << i;
      // Tokens come again, so that the penalty has something to fall on.
      history.push_back(i % 3 == 0 ? *id : TokenId{static_cast<std::int32_t>(rng() % kVocab)});
    }
  }
}

TEST(SamplerQuery, IsForAllLogitsWhereTheirSumCounts) {
  for (const SamplerOptions& options :
       {SamplerOptions{.temperature = 1.0F}, SamplerOptions{.temperature = 1.0F, .top_p = 0.9F},
        SamplerOptions{.temperature = 1.0F, .top_p = 0.9F, .min_p = 0.1F},
        SamplerOptions{.temperature = 1.0F, .min_p = 0.1F, .repeat_penalty = 1.1F}}) {
    EXPECT_FALSE(Sampler(options, 100).query({}));
  }
}

}  // namespace
}  // namespace bitnet
