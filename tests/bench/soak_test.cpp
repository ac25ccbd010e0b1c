// A short soak, and that a long one notices what it is for.
#include "soak/soak.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "soak/usage.h"
#include "support/temp_directory.h"

namespace bitnet::soak {
namespace {

const std::string kCanary = BITNET_MODELS "/canary.gguf";
constexpr std::size_t kWays = 18;

TEST(Soak, EveryWayLeadsToWhatAFreshRunGave) {
  const test::TempDirectory directory;
  Soak soak({kCanary}, directory.path(), 1);
  soak.round(2 * kWays, 3);
  soak.round(kWays, 1);
  EXPECT_EQ(soak.n_units(), 3 * kWays);
  EXPECT_EQ(soak.by_way().size(), kWays);
  for (const auto& [way, n] : soak.by_way()) EXPECT_EQ(n, 3U) << way;
  EXPECT_GT(soak.ledger().n_compared(), 200U);
  EXPECT_EQ(soak.ledger().failures(), std::vector<std::string>());
}

TEST(Soak, AnotherAnswerIsNoticedAndSaysWhereItWas) {
  const test::TempDirectory directory;
  Soak soak({kCanary}, directory.path(), 1);
  for (Answer& answer : soak.subject(0).answers) answer.tokens.front() = TokenId{-1};
  for (std::uint64_t& score : soak.subject(0).scores) ++score;
  for (Talk& talk : soak.subject(0).talks) talk.answers.front() += '?';
  for (Spelling& spelling : soak.subject(0).spellings) spelling.ids.push_back(TokenId{1});
  soak.round(kWays, 2);
  const auto failures = soak.ledger().failures();
  for (const std::string way : {"a new session", "the old scheduler", "scores", "a talk", "a tokenizer"}) {
    EXPECT_TRUE(std::ranges::any_of(failures, [&](const std::string& failure) {
      return failure.starts_with(kCanary + ": unit ") && failure.find(", " + way + ": ") != std::string::npos;
    })) << way;
  }
}

TEST(Soak, OtherLogitsOfTheSameTextAreNoticed) {
  const Answer whole{.tokens = {TokenId{1}, TokenId{2}}, .text = "ab", .logits = 7};
  Answer other = whole;
  other.logits = 8;
  EXPECT_TRUE(whole.agrees_with(whole));
  EXPECT_FALSE(other.agrees_with(whole));
  other.logits = 0;  // not asked for
  EXPECT_TRUE(other.agrees_with(whole));
  other = {.tokens = {TokenId{1}}, .text = "a\xEF\xBF\xBD"};
  EXPECT_TRUE(other.begins(whole));
  other.tokens.front() = TokenId{2};
  EXPECT_FALSE(other.begins(whole));
}

TEST(SoakUsage, CountsWhatTheProcessHas) {
  const Usage before = usage_now(0);
  std::vector<char> memory(std::size_t{64} << 20, 'x');
  const std::ifstream file(kCanary);
  const Usage after = usage_now(0);
  EXPECT_GE(after.own, before.own + (memory.size() >> 1));
  EXPECT_EQ(std::ranges::count(memory, 'x'), std::ssize(memory));  // or compilers may do without it
  EXPECT_GE(after.rss, after.own);
  EXPECT_EQ(after.n_descriptors, before.n_descriptors + 1);
  EXPECT_GE(after.n_threads, 1U);
}

// A long run of which memory of its own grows by so much an hour.
std::vector<Usage> watched(std::uint64_t bytes_per_hour) {
  std::vector<Usage> seen;
  for (std::uint64_t second = 0; second <= 3600; ++second) {
    Usage u{.seconds = static_cast<double>(second), .n_threads = 2, .n_descriptors = 5};
    u.own = (std::uint64_t{100} << 20) + bytes_per_hour * second / 3600;
    u.heap = u.own / 100;
    seen.push_back(u);
  }
  return seen;
}

TEST(SoakUsage, WhatGrowsIsNamedWithItsFigures) {
  const Tenths flat = tenths_of(watched(0));
  EXPECT_EQ(growth(flat, flat), std::vector<std::string>());
  const Tenths growing = tenths_of(watched(std::uint64_t{40} << 20));
  EXPECT_EQ(growth(growing, flat),
            std::vector<std::string>{"memory of its own grew from 104.0 MiB to 140.0 MiB"});
  Tenths leaking = flat;
  leaking.last.heap += std::uint64_t{2} << 20;
  leaking.last.n_threads = 3;
  leaking.last.n_descriptors = 6;
  EXPECT_EQ(growth(flat, leaking),
            (std::vector<std::string>{"what is allocated at rest grew from 1.0 MiB to 3.0 MiB",
                                      "threads at rest grew from 2 to 3",
                                      "open descriptors at rest grew from 5 to 6"}));
}

}  // namespace
}  // namespace bitnet::soak
