#include "bitnet/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "engine/allocation_count.h"
#include "kernels/exp.h"
#include "support/text_holds.h"

namespace bitnet {
namespace {

using test::has;

using Logits = std::vector<float>;
using Tokens = std::vector<TokenId>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kMax = std::numeric_limits<float>::max();

Tokens tokens(std::initializer_list<std::int32_t> ids) {
  Tokens list;
  for (const auto id : ids) list.push_back(TokenId{id});
  return list;
}

int draw_once(const SamplerOptions& options, const Logits& logits, const Tokens& history = {}) {
  Sampler sampler(options, logits.size());
  const auto token = sampler.sample(logits, history);
  return token ? to_int(*token) : -1;
}

std::vector<int> draw_many(const SamplerOptions& options, const Logits& logits, int count,
                           const Tokens& history = {}) {
  Sampler sampler(options, logits.size());
  std::vector<int> ids;
  for (int i = 0; i < count; ++i) {
    const auto token = sampler.sample(logits, history);
    ids.push_back(token ? to_int(*token) : -1);
  }
  return ids;
}

// How often each id came in so many draws.
std::vector<int> frequencies(const SamplerOptions& options, const Logits& logits, int count,
                             const Tokens& history = {}) {
  std::vector<int> seen(logits.size(), 0);
  for (const int id : draw_many(options, logits, count, history)) ++seen.at(static_cast<std::size_t>(id));
  return seen;
}

Logits logs(std::initializer_list<double> probabilities) {
  Logits logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

// Within five standard deviations of what the probabilities say.
void expect_distribution(const std::vector<int>& seen, const std::vector<double>& probabilities) {
  const double n = std::accumulate(seen.begin(), seen.end(), 0.0);
  ASSERT_EQ(seen.size(), probabilities.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const double p = probabilities[i];
    if (p == 0.0) {
      EXPECT_EQ(seen[i], 0) << "token " << i;
    } else {
      EXPECT_NEAR(seen[i], n * p, 5.0 * std::sqrt(n * p * (1.0 - p)) + 1e-9) << "token " << i;
    }
  }
}

// A spread-out set of logits without any library function behind it.
Logits ragged_logits(std::size_t size) {
  Logits logits(size);
  for (std::size_t i = 0; i < size; ++i) logits[i] = static_cast<float>(i * 37 % 101) / 16.0F;
  return logits;
}

TEST(SamplerGreedy, TakesTheLargestLogit) { EXPECT_EQ(draw_once({}, {0.5F, -1.0F, 3.0F, 2.0F}), 2); }

TEST(SamplerGreedy, GivesTiesToTheLowerId) { EXPECT_EQ(draw_once({}, {-2.0F, 1.0F, 1.0F, 1.0F}), 1); }

TEST(SamplerGreedy, AppliesNoPenaltyUnlessAskedTo) {
  EXPECT_EQ(draw_once({}, {1.0F, 1.01F}, tokens({1, 1, 1})), 1);
  EXPECT_EQ(draw_once({.repeat_penalty = 100.0F, .repeat_window = 0}, {1.0F, 1.01F}, tokens({1, 1, 1})), 1);
}

TEST(SamplerGreedy, TakesTheBestAfterThePenaltyWhenAskedTo) {
  const SamplerOptions options{.repeat_penalty = 2.0F};
  EXPECT_EQ(draw_once(options, {1.5F, 2.0F}, tokens({1})), 0);
  EXPECT_EQ(draw_once(options, {0.9F, 2.0F}, tokens({1})), 1);
  EXPECT_EQ(draw_once(options, {-3.0F, -2.0F}, tokens({1})), 0);  // a negative logit is multiplied
  EXPECT_EQ(draw_once(options, {1.0F, 2.0F}, tokens({1})), 0);    // a tie goes to the lower id
}

TEST(SamplerGreedy, PenaltyNeitherCountsATokenTwiceNorCompounds) {
  // Halved once, token 1 stays ahead of token 0; halved twice it would not.
  const SamplerOptions options{.repeat_penalty = 2.0F};
  EXPECT_EQ(draw_many(options, {0.9F, 2.0F}, 50, tokens({1, 1, 1})), std::vector<int>(50, 1));
}

TEST(SamplerGreedy, NegativeZeroIsGreedyToo) {
  const SamplerOptions options{.temperature = -0.0F};
  EXPECT_EQ(draw_many(options, {1.0F, 1.0F}, 20), std::vector<int>(20, 0));
}

TEST(Sampler, FollowsTheSoftmaxOfTheLogits) {
  const SamplerOptions options{.temperature = 1.0F, .seed = 7};
  expect_distribution(frequencies(options, logs({0.5, 0.25, 0.15, 0.1}), 20000), {0.5, 0.25, 0.15, 0.1});
}

TEST(Sampler, DividesTheLogitsByTheTemperature) {
  // Half the temperature squares the probabilities: 16 : 4 : 1.
  const SamplerOptions options{.temperature = 0.5F, .seed = 7};
  expect_distribution(frequencies(options, logs({4.0, 2.0, 1.0}), 20000), {16.0 / 21, 4.0 / 21, 1.0 / 21});
}

TEST(Sampler, TopKKeepsTheKBest) {
  const SamplerOptions options{.temperature = 1.0F, .top_k = 2, .seed = 7};
  expect_distribution(frequencies(options, logs({0.1, 0.5, 0.15, 0.25}), 20000),
                      {0.0, 2.0 / 3, 0.0, 1.0 / 3});
}

TEST(Sampler, TopKGivesTiesToTheLowerIds) {
  const SamplerOptions options{.temperature = 1.0F, .top_k = 3, .seed = 7};
  expect_distribution(
      frequencies(options, {0.0F, 1.0F, 0.0F, 0.0F, 0.0F}, 20000),
      {1 / (std::exp(1.0) + 2), std::exp(1.0) / (std::exp(1.0) + 2), 1 / (std::exp(1.0) + 2), 0, 0});
}

TEST(Sampler, TopKBeyondTheVocabularyKeepsAll) {
  const Logits logits = ragged_logits(50);
  const SamplerOptions all{.temperature = 1.5F, .seed = 3};
  for (const std::int32_t k : {50, 51, std::numeric_limits<std::int32_t>::max()}) {
    SamplerOptions options = all;
    options.top_k = k;
    EXPECT_EQ(draw_many(options, logits, 100), draw_many(all, logits, 100)) << "top_k " << k;
  }
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  // 0.5 + 0.25 falls short of 0.8; the third is the one that reaches it.
  const SamplerOptions options{.temperature = 1.0F, .top_p = 0.8F, .seed = 7};
  expect_distribution(frequencies(options, logs({0.15, 0.25, 0.1, 0.5}), 20000),
                      {0.15 / 0.9, 0.25 / 0.9, 0, 0.5 / 0.9});
}

TEST(Sampler, TopPStopsWhereItIsReachedExactly) {
  // Four equal logits: two make up exactly one half.
  const SamplerOptions options{.temperature = 1.0F, .top_p = 0.5F, .seed = 7};
  expect_distribution(frequencies(options, {1.0F, 1.0F, 1.0F, 1.0F}, 20000), {0.5, 0.5, 0, 0});
}

TEST(Sampler, TinyTopPKeepsTheBestAlone) {
  const SamplerOptions options{.temperature = 1.0F, .top_p = 1e-30F, .seed = 7};
  EXPECT_EQ(draw_many(options, {0.0F, 2.0F, 2.0F}, 50), std::vector<int>(50, 1));
}

TEST(Sampler, TopPLooksAtWhatTopKLeft) {
  // Among the two that top-k leaves, the first has 2/3 and is enough by itself.
  const SamplerOptions options{.temperature = 1.0F, .top_k = 2, .top_p = 0.6F, .seed = 7};
  EXPECT_EQ(draw_many(options, logs({0.5, 0.25, 0.15, 0.1}), 50), std::vector<int>(50, 0));
}

TEST(Sampler, MinPDropsWhatIsFarBelowTheBest) {
  const SamplerOptions options{.temperature = 1.0F, .min_p = 0.4F, .seed = 7};
  expect_distribution(frequencies(options, logs({0.15, 0.5, 0.1, 0.25}), 20000), {0, 2.0 / 3, 0, 1.0 / 3});
}

TEST(Sampler, MinPKeepsWhatLiesOnItsBound) {
  const Logits logits{0.0F, -1.0F, -2.0F};
  Logits weights(logits.size());
  kernels::exp_array(logits, weights);
  expect_distribution(frequencies({.temperature = 1.0F, .min_p = weights[1], .seed = 7}, logits, 20000),
                      {0.7311, 0.2689, 0});
}
TEST(Sampler, MinPIsOfTheModelsOwnProbabilities) {
  // 0.25 / 0.5 is above 0.4, whatever the temperature makes of it: here the squares, 1 : 4 : 1.
  expect_distribution(
      frequencies({.temperature = 0.5F, .min_p = 0.4F, .seed = 7}, logs({0.25, 0.5, 0.25}), 20000),
      {1.0 / 6, 4.0 / 6, 1.0 / 6});
  // At temperature 100 all that is left is as likely as the rest, and nothing else is left.
  expect_distribution(
      frequencies({.temperature = 100.0F, .min_p = 0.5F, .seed = 7}, logs({0.5, 0.3, 0.1, 0.1}), 20000),
      {0.5013, 0.4987, 0, 0});
}

TEST(Sampler, TopPIsOfTheModelsOwnProbabilities) {
  // 0.5 + 0.3 reach 0.75; at temperature 100 it would have taken all but one of the four.
  expect_distribution(
      frequencies({.temperature = 100.0F, .top_p = 0.75F, .seed = 7}, logs({0.1, 0.5, 0.1, 0.3}), 20000),
      {0, 0.5013, 0, 0.4987});
}

TEST(SamplerPenalty, DividesPositiveAndMultipliesNegativeLogits) {
  const float ln2 = std::log(2.0F);
  const SamplerOptions options{.temperature = 1.0F, .repeat_penalty = 2.0F, .seed = 7};
  // Logits become ln 2, -2 ln 2, 0: weights 2, 1/4, 1.
  expect_distribution(frequencies(options, {2 * ln2, -ln2, 0.0F}, 20000, tokens({0, 1})),
                      {2 / 3.25, 0.25 / 3.25, 1 / 3.25});
}

TEST(SamplerPenalty, CountsATokenOnceHoweverOftenItOccurs) {
  const Logits logits = ragged_logits(40);
  const SamplerOptions options{.temperature = 1.0F, .repeat_penalty = 1.3F, .seed = 5};
  EXPECT_EQ(draw_many(options, logits, 300, tokens({30, 11, 30, 30, 30, 11, 30})),
            draw_many(options, logits, 300, tokens({11, 30})));
}

TEST(SamplerPenalty, DoesNotCompoundFromCallToCall) {
  // If it did, token 0 would soon have no chance left: it keeps its 1/2.
  const SamplerOptions options{.temperature = 1.0F, .repeat_penalty = 2.0F, .seed = 7};
  expect_distribution(frequencies(options, {4.0F, 2.0F}, 20000, tokens({0})), {0.5, 0.5});
}

TEST(SamplerPenalty, LeavesTokensAloneThatAreNotInTheHistoryAnyMore) {
  Sampler sampler({.repeat_penalty = 2.0F}, 2);
  const Logits logits{4.0F, 3.0F};
  EXPECT_EQ(sampler.sample(logits, tokens({0})), TokenId{1});
  EXPECT_EQ(sampler.sample(logits, tokens({})), TokenId{0});
}
TEST(SamplerPenalty, ReadsTheLastTokensOfTheWindowOnly) {
  const Logits logits = ragged_logits(40);
  SamplerOptions options{.temperature = 1.0F, .repeat_penalty = 1.5F, .repeat_window = 2, .seed = 5};
  EXPECT_EQ(draw_many(options, logits, 200, tokens({30, 11, 7, 8})),
            draw_many(options, logits, 200, tokens({7, 8})));
  EXPECT_NE(draw_many(options, logits, 200, tokens({30, 11, 7, 8})),
            draw_many(options, logits, 200, tokens({8, 30})));
  options.repeat_window = 0;
  EXPECT_EQ(draw_many(options, logits, 200, tokens({30, 11, 7, 8})), draw_many(options, logits, 200));
  options.repeat_window = -1;  // all of it
  Tokens longer = tokens({30, 11});
  for (int i = 0; i < 500; ++i) longer.push_back(TokenId{7});
  EXPECT_EQ(draw_many(options, logits, 200, longer), draw_many(options, logits, 200, tokens({30, 11, 7})));
}

TEST(SamplerPenalty, ComesBeforeTopK) {
  // Token 0 falls from first place to last, so top-k takes the other two.
  const SamplerOptions options{.temperature = 1.0F, .top_k = 2, .repeat_penalty = 3.0F, .seed = 7};
  expect_distribution(frequencies(options, {3.0F, 2.0F, 2.0F}, 20000, tokens({0})), {0, 0.5, 0.5});
}

TEST(SamplerPenalty, PassesOverTokensOutsideTheVocabulary) {
  const Logits logits = ragged_logits(40);
  const SamplerOptions options{.temperature = 1.0F, .repeat_penalty = 1.5F, .seed = 5};
  EXPECT_EQ(draw_many(options, logits, 100, tokens({-1, 40, 2147483647, 3})),
            draw_many(options, logits, 100, tokens({3})));
}

TEST(SamplerPenalty, NeverOverflowsToAnInfinity) {
  for (const float penalty : {1e-38F, 1e38F}) {
    const SamplerOptions options{.temperature = 1.0F, .repeat_penalty = penalty, .seed = 7};
    const auto seen = frequencies(options, {kMax, -kMax}, 100, tokens({0, 1}));
    EXPECT_EQ(seen[0], 100) << "penalty " << penalty;
  }
}

TEST(Sampler, DrawsTheSameTokensFromTheSameSeed) {
  const SamplerOptions options{.temperature = 2.0F, .top_k = 60, .top_p = 0.97F, .min_p = 0.01F, .seed = 123};
  const Logits logits = ragged_logits(101);
  EXPECT_EQ(draw_many(options, logits, 500), draw_many(options, logits, 500));
}

TEST(Sampler, DrawsOtherTokensFromAnotherSeed) {
  SamplerOptions options{.temperature = 2.0F, .seed = 1};
  const Logits logits = ragged_logits(101);
  const auto first = draw_many(options, logits, 50);
  options.seed = 2;
  EXPECT_NE(draw_many(options, logits, 50), first);
}

// Written down once: no machine, compiler or later version may draw others.
TEST(Sampler, DrawsTheseTokensFromSeed42) {
  const Logits logits = ragged_logits(101);
  EXPECT_EQ(draw_many({.temperature = 1.0F, .seed = 42}, logits, 16),
            (std::vector{76, 62, 76, 16, 90, 12, 59, 38, 30, 38, 2, 54, 68, 62, 84, 95}));
  EXPECT_EQ(draw_many({.temperature = 1.0F, .top_k = 20, .seed = 42}, logits, 16),
            (std::vector{79, 65, 79, 19, 90, 16, 60, 38, 30, 38, 5, 57, 68, 65, 87, 95}));
  EXPECT_EQ(draw_many({.temperature = 1.0F, .top_p = 0.9F, .seed = 42}, logits, 16),
            (std::vector{65, 16, 65, 90, 2, 60, 57, 8, 49, 8, 30, 27, 76, 16, 54, 21}));
  EXPECT_EQ(draw_many({.temperature = 1.0F, .min_p = 0.1F, .seed = 42}, logits, 16),
            (std::vector{76, 62, 76, 16, 90, 13, 60, 38, 30, 38, 2, 54, 68, 62, 84, 95}));
}

TEST(Sampler, SpendsOneRandomNumberOnEveryToken) {
  // A certain token in between leaves the others where they were in the sequence.
  const Logits open = ragged_logits(101);
  Logits certain(101, -1000.0F);
  certain[5] = 0.0F;
  const SamplerOptions options{.temperature = 1.0F, .seed = 9};
  const auto plain = draw_many(options, open, 3);
  Sampler sampler(options, open.size());
  EXPECT_EQ(sampler.sample(open, {}), TokenId{plain[0]});
  EXPECT_EQ(sampler.sample(certain, {}), TokenId{5});
  EXPECT_EQ(sampler.sample(open, {}), TokenId{plain[2]});
}

TEST(Sampler, RefusesLogitsThatAreNotFinite) {
  for (const float temperature : {0.0F, 1.0F}) {
    for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
      for (const std::size_t place : {0U, 17U, 39U}) {
        Logits logits = ragged_logits(40);
        logits[place] = bad;
        EXPECT_EQ(draw_once({.temperature = temperature}, logits), -1) << bad << " at " << place;
      }
    }
  }
}

TEST(Sampler, ServesExtremeButFiniteLogits) {
  EXPECT_EQ(draw_once({}, {-kMax, kMax, -kMax}), 1);
  EXPECT_EQ(draw_once({.temperature = 1.0F}, {-kMax, kMax, -kMax}), 1);
  EXPECT_EQ(draw_many({.temperature = 1.0F, .top_p = 0.5F}, Logits(8, -kMax), 1).size(), 1U);
}

TEST(Sampler, ExtremeTemperaturesAreGreedyOrUniform) {
  const Logits logits{1.0F, 3.0F, 2.9999F, 3.0F};
  for (const float cold : {1e-30F, 1e-45F}) {
    expect_distribution(frequencies({.temperature = cold, .seed = 7}, logits, 2000), {0, 0.5, 0, 0.5});
  }
  for (const float hot : {1e30F, kMax}) {
    expect_distribution(frequencies({.temperature = hot, .seed = 7}, logits, 20000),
                        {0.25, 0.25, 0.25, 0.25});
  }
}

TEST(Sampler, AllocatesNothingAfterConstruction) {
  const Logits logits = ragged_logits(5000);
  const Tokens history = tokens({1, 2, 3, 2, 1});
  for (const SamplerOptions& options :
       {SamplerOptions{}, SamplerOptions{.repeat_penalty = 1.1F}, SamplerOptions{.temperature = 1.0F},
        SamplerOptions{
            .temperature = 1.0F, .top_k = 40, .top_p = 0.9F, .min_p = 0.05F, .repeat_penalty = 1.1F},
        SamplerOptions{.temperature = 9.0F, .top_p = 0.99F}}) {
    Sampler sampler(options, logits.size());
    const std::size_t before = test::allocation_count();
    for (int i = 0; i < 20; ++i) (void)sampler.sample(logits, history);
    EXPECT_EQ(test::allocation_count(), before);
  }
}

void expect_refused(const SamplerOptions& options, const std::string& name) {
  try {
    const Sampler sampler(options, 10);
    ADD_FAILURE() << name << " was taken";
  } catch (const OptionError& error) {
    EXPECT_EQ(error.option(), name);
    const std::string message = error.what();
    EXPECT_EQ(message.rfind(name + " ", 0), 0U) << message;
    EXPECT_TRUE(has(message, "out of range"));
  }
}

TEST(SamplerOptions, OutOfRangeAreRefusedByName) {
  for (const float bad : {-1.0F, kNan, kInfinity, -kInfinity}) {
    expect_refused({.temperature = bad}, "temperature");
    expect_refused({.repeat_penalty = bad}, "repeat_penalty");
    expect_refused({.top_p = bad}, "top_p");
    expect_refused({.min_p = bad}, "min_p");
  }
  expect_refused({.top_p = 0.0F}, "top_p");
  expect_refused({.top_p = 1.0001F}, "top_p");
  expect_refused({.min_p = 1.0F}, "min_p");
  expect_refused({.repeat_penalty = 0.0F}, "repeat_penalty");
  expect_refused({.top_k = -1}, "top_k");
  expect_refused({.repeat_window = -2}, "repeat_window");
}

TEST(SamplerOptions, AreReadEvenWhereGreedyIgnoresThem) {
  expect_refused({.temperature = 0.0F, .top_p = 2.0F}, "top_p");
}

TEST(SamplerOptions, MessageShowsTheValue) {
  try {
    const Sampler sampler({.temperature = -0.5F}, 10);
    FAIL();
  } catch (const OptionError& error) {
    EXPECT_STREQ(error.what(), "temperature -0.5 is out of range: give 0 (greedy) or a positive number");
    EXPECT_EQ(error.message_with("--temp"),
              "--temp -0.5 is out of range: give 0 (greedy) or a positive number");
  }
}

TEST(SamplerOptions, AnEmptyVocabularyIsRefused) { EXPECT_THROW(Sampler({}, 0), UsageError); }

TEST(Sampler, RefusesLogitsOfAnotherVocabulary) {
  for (const float temperature : {0.0F, 1.0F}) {
    Sampler sampler({.temperature = temperature}, 1024);
    EXPECT_THROW((void)sampler.sample(ragged_logits(10), {}), UsageError);
    EXPECT_THROW((void)sampler.sample(ragged_logits(1025), {}), UsageError);
    EXPECT_THROW((void)sampler.sample(Logits{}, {}), UsageError);
    const auto from = [&](const std::vector<Candidate>& candidates) { (void)sampler.sample(candidates, {}); };
    EXPECT_THROW(from({}), UsageError);
    EXPECT_THROW(from({{TokenId{1024}, 1.0F}}), UsageError);
    EXPECT_THROW(from({{TokenId{-1}, 1.0F}}), UsageError);
    EXPECT_THROW(from(std::vector<Candidate>(1025, Candidate{TokenId{0}, 1.0F})), UsageError);
    EXPECT_NO_THROW(from({{TokenId{1023}, 1.0F}}));
  }
}

}  // namespace
}  // namespace bitnet
