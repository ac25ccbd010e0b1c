// Perplexity against an independent double-precision computation, and the windows it is made of.
#include "diagnostics/perplexity.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/score.h"
#include "support/canary.h"
#include "support/parse_json.h"
#include "support/temp_directory.h"

namespace bitnet {
namespace {

std::string kept(const std::string& name) { return test::content_of(BITNET_TEST_DATA "/perplexity/" + name); }

std::vector<TokenId> village() {
  std::string text = kept("village.txt");
  if (text.ends_with('\n')) text.pop_back();
  return test::canary().tokenizer().encode(text, {.add_bos = true});
}

PerplexityResult measure(const PerplexityOptions& options, const SessionOptions& how,
                         const PerplexityHooks& hooks = {}) {
  Session session(test::canary(), how);
  return measure_perplexity(session, test::canary().tokenizer(), village(), options, hooks);
}

TEST(Perplexity, AgreesWithADoublePrecisionReference) {
  for (const auto& expected : test::parse_json(kept("village.json"))) {
    SCOPED_TRACE(expected.dump());
    const PerplexityOptions options{.window = expected.at("window"), .stride = expected.at("stride")};
    const bool is_rounded = expected.at("activations") == "int8";
    SessionOptions how;
    how.ctx_size = options.window;
    how.n_threads = 1;
    how.kv_type = KvType::f32;
    how.activations = is_rounded ? ActivationType::int8 : ActivationType::f32;
    const PerplexityResult got = measure(options, how);
    EXPECT_TRUE(got.complete);
    EXPECT_EQ(got.n_tokens, expected.at("text_tokens"));
    EXPECT_EQ(got.n_windows, expected.at("windows"));
    EXPECT_EQ(got.n_scored, expected.at("scored_tokens"));
    // tests/data/perplexity/README.md says why.
    const bool has_flips = is_rounded && options.window < 128;
    const double tolerance = !is_rounded ? 1e-6 : has_flips ? 1e-3 : 1e-4;
    const double perplexity = expected.at("perplexity");
    EXPECT_NEAR(got.perplexity, perplexity, tolerance * perplexity);
    EXPECT_NEAR(got.mean_nll, expected.at("mean_nll"), tolerance);
    EXPECT_NEAR(got.nll_standard_error, expected.at("mean_nll_error"), tolerance);
    EXPECT_NEAR(got.standard_error, expected.at("perplexity_error"), tolerance * perplexity);
  }
}

TEST(Perplexity, IsTheSameHoweverItIsComputed) {
  const PerplexityOptions options{.window = 100, .stride = 30};
  const PerplexityResult one = measure(options, {.ctx_size = 100, .n_threads = 1, .prefill_chunk = 7});
  const PerplexityResult other = measure(options, {.ctx_size = 512, .n_threads = 3, .prefill_chunk = 64});
  EXPECT_EQ(one.mean_nll, other.mean_nll);
  EXPECT_EQ(one.standard_error, other.standard_error);
}

// As llama.cpp: whole windows only, the second half of each but for its first token; or the last `stride`.
TEST(Perplexity, CutsTheTextIntoWholeWindows) {
  EXPECT_EQ(count_windows(99, {.window = 100}), 0U);
  EXPECT_EQ(count_windows(100, {.window = 100}), 1U);
  EXPECT_EQ(count_windows(299, {.window = 100}), 2U);
  EXPECT_EQ(count_windows(100, {.window = 100, .stride = 40}), 1U);
  EXPECT_EQ(count_windows(139, {.window = 100, .stride = 40}), 1U);
  EXPECT_EQ(count_windows(140, {.window = 100, .stride = 40}), 2U);

  const std::size_t n = village().size();
  const PerplexityResult halves = measure({.window = 100}, {.n_threads = 1});
  EXPECT_EQ(halves.n_windows, n / 100);
  EXPECT_EQ(halves.n_scored, halves.n_windows * 49);
  EXPECT_EQ(halves.n_left_out, n % 100);
  const PerplexityResult strided = measure({.window = 100, .stride = 40}, {.n_threads = 1});
  EXPECT_EQ(strided.n_windows, (n - 100) / 40 + 1);
  EXPECT_EQ(strided.n_scored, strided.n_windows * 40);
  EXPECT_EQ(strided.n_left_out, (n - 100) % 40);
}

TEST(Perplexity, ReportsEveryWindowAndStopsWhenTold) {
  std::size_t n_reports = 0;
  double last_fraction = -1;
  PerplexityHooks hooks;
  hooks.on_window = [&](const PerplexityResult& so_far, std::size_t n_windows) {
    EXPECT_EQ(so_far.n_windows, ++n_reports);
    EXPECT_EQ(n_windows, village().size() / 50);
    EXPECT_GT(so_far.perplexity, 1);
  };
  hooks.on_progress = [&](double fraction) {
    EXPECT_GT(fraction, last_fraction);
    EXPECT_LT(fraction, 1);
    last_fraction = fraction;
  };
  EXPECT_TRUE(measure({.window = 50}, {.n_threads = 1}, hooks).complete);
  EXPECT_EQ(n_reports, village().size() / 50);

  int n_questions = 0;
  PerplexityHooks stop;
  stop.keep_going = [&] { return ++n_questions < 4; };
  EXPECT_FALSE(measure({.window = 50}, {.n_threads = 1}, stop).complete);
  EXPECT_EQ(n_questions, 4);
}

// As the score of the whole text: every token but the first.
TEST(Perplexity, OfATextShorterThanAWindowIsThatOfAllOfIt) {
  const std::string text = "The capital of France is Paris.";
  const std::vector<TokenId> ids = test::canary().tokenizer().encode(text, {.add_bos = true});
  const PerplexityOptions options = fitted({.window = 512, .stride = 100}, ids.size());
  EXPECT_TRUE(options.whole);
  EXPECT_FALSE(fitted({.window = ids.size()}, ids.size()).whole);
  Session session(test::canary());
  const PerplexityResult got = measure_perplexity(session, test::canary().tokenizer(), ids, options);
  session.rewind(Position{0});
  const Score expected = score(test::canary(), session, ids);
  EXPECT_EQ(got.n_windows, 1U);
  EXPECT_EQ(got.n_scored, ids.size() - 1);
  EXPECT_EQ(got.n_left_out, 0U);
  EXPECT_EQ(got.n_bytes, text.size());
  EXPECT_NEAR(got.mean_nll, -expected.mean(), 1e-6);
  EXPECT_NEAR(got.bits_per_byte, expected.bits_per_byte(), 1e-6);
  // BOS alone, or with one token behind it.
  const auto first = [&](std::size_t n) { return std::span(ids).first(n); };
  EXPECT_THROW(measure_perplexity(session, test::canary().tokenizer(), first(1), fitted({}, 1)), UsageError);
  EXPECT_EQ(measure_perplexity(session, test::canary().tokenizer(), first(2), fitted({}, 2)).n_scored, 1U);
}

TEST(Perplexity, CountsTheBytesOfTheScoredTokensAlone) {
  const PerplexityResult got = measure({.window = 100}, {.n_threads = 1});
  EXPECT_NEAR(
      got.bits_per_byte,
      got.mean_nll * static_cast<double>(got.n_scored) / std::log(2.0) / static_cast<double>(got.n_bytes),
      1e-12);
  std::size_t n_bytes = 0;
  const std::vector<TokenId> ids = village();
  for (std::size_t first = 0; first + 100 <= ids.size(); first += 100) {
    for (std::size_t i = 51; i < 100; ++i)
      n_bytes += test::canary().tokenizer().bytes_of(ids[first + i]).size();
  }
  EXPECT_EQ(got.n_bytes, n_bytes);
}

TEST(Perplexity, RefusesOptionsThatLeaveNothingToScore) {
  EXPECT_THROW(count_windows(100, {.window = 2}), UsageError);
  EXPECT_THROW(count_windows(100, {.window = 50, .stride = 50}), UsageError);
  EXPECT_THROW(measure({.window = 512}, {.n_threads = 1}), UsageError);  // the text is shorter
}

TEST(LogProbability, IsStableAndExact) {
  const std::array<float, 3> logits{1.0F, 2.0F, 3.0F};
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(3.0);
  EXPECT_NEAR(log_probability(logits, TokenId{1}), 2 - std::log(sum), 1e-15);
  const std::array<float, 2> large{3e38F, -3e38F};
  EXPECT_EQ(log_probability(large, TokenId{0}), 0);
  EXPECT_NEAR(log_probability(large, TokenId{1}), -6e38, 1e32);
  for (const float broken :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_TRUE(std::isnan(log_probability(std::array{0.0F, broken}, TokenId{0})));
  }
}

}  // namespace
}  // namespace bitnet
