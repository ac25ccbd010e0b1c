#include "engine/logprobs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "bitnet/error.h"
#include "engine/allocation_count.h"

namespace bitnet {
namespace {

TokenId id(std::size_t i) { return TokenId{static_cast<std::int32_t>(i)}; }

std::vector<int> ids_of(std::span<const TokenLogprob> tokens) {
  std::vector<int> ids;
  for (const TokenLogprob& t : tokens) ids.push_back(to_int(t.id));
  return ids;
}

// More of them than are summed at a time.
std::vector<float> some_logits(std::size_t n) {
  std::vector<float> logits;
  for (std::size_t i = 0; i < n; ++i) logits.push_back(9.0F * std::sin(static_cast<float>(i * i)));
  return logits;
}

TEST(Logprobs, AreTheLogarithmsOfTheSoftmax) {
  const std::vector<float> logits = some_logits(1000);
  double total = 0;
  for (const float x : logits) total += std::exp(static_cast<double>(x));
  Logprobs logprobs(0, logits.size());
  logprobs.set(logits);
  EXPECT_TRUE(logprobs.top().empty());
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    EXPECT_NEAR(logprobs.of(id(i)), static_cast<double>(logits[i]) - std::log(total), 1e-6);
    sum += std::exp(logprobs.of(id(i)));
  }
  EXPECT_NEAR(sum, 1, 1e-6);
}

TEST(Logprobs, NameTheLikeliestInOrderAndTheLowerIdOfEquals) {
  const std::vector<float> logits{1, 5, 3, 5, -2, 3};
  Logprobs logprobs(4, logits.size());
  logprobs.set(logits);
  EXPECT_EQ(ids_of(logprobs.top()), (std::vector<int>{1, 3, 2, 5}));
  EXPECT_EQ(logprobs.top()[2].logprob, logprobs.of(TokenId{2}));
  Logprobs all(6, logits.size());
  all.set(logits);
  EXPECT_EQ(ids_of(all.top()), (std::vector<int>{1, 3, 2, 5, 0, 4}));
}

TEST(Logprobs, BearExtremeLogits) {
  constexpr float kMax = std::numeric_limits<float>::max();
  const std::vector<float> logits{-kMax, kMax, 0};
  Logprobs logprobs(3, logits.size());
  logprobs.set(logits);
  EXPECT_EQ(logprobs.of(TokenId{1}), 0);
  EXPECT_EQ(logprobs.of(TokenId{0}), -2 * static_cast<double>(kMax));
  EXPECT_EQ(ids_of(logprobs.top()), (std::vector<int>{1, 2, 0}));
}

TEST(Logprobs, AllocateNothingForAToken) {
  const std::vector<float> logits = some_logits(1000);
  Logprobs logprobs(20, logits.size());
  const std::size_t before = test::allocation_count();
  logprobs.set(logits);
  logprobs.set(logits);
  EXPECT_EQ(test::allocation_count(), before);
}

TEST(Logprobs, RefuseMoreAlternativesThanThereAreTokens) {
  EXPECT_NO_THROW(Logprobs(6, 6));
  EXPECT_THROW(Logprobs(7, 6), UsageError);
  EXPECT_THROW(Logprobs(std::numeric_limits<std::size_t>::max(), 6), UsageError);
}

}  // namespace
}  // namespace bitnet
