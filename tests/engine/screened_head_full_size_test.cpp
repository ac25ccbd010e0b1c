// The screened head against the exact one on models of full size. Minutes and 1.5 GB of memory, so they run
// only when asked for:
//   build/release/tests/engine/test_engine --gtest_also_run_disabled_tests --gtest_filter='*FullSize*'
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "base/half.h"
#include "engine/session_impl.h"
#include "model/model_impl.h"
#include "model/synthetic/synthetic.h"

namespace bitnet {
namespace {

constexpr std::size_t kPositions = 2000;
constexpr std::array<std::size_t, 3> kBest{1, 40, 1000};

// Norms of the rows spread as those of trained embeddings, log-normally by a third, and a few heavy columns.
void make_like_trained(const quant::Matrix& w) {
  auto* values = reinterpret_cast<std::uint16_t*>(const_cast<std::byte*>(w.data));
  std::mt19937 rng(3);
  std::normal_distribution<float> normal;
  std::vector<float> column(w.cols, 1.0F);
  for (int i = 0; i < 20; ++i) column[rng() % w.cols] = 4;
  for (std::size_t row = 0; row < w.rows; ++row) {
    const float norm = std::exp(normal(rng) / 3);
    for (std::size_t i = 0; i < w.cols; ++i) {
      std::uint16_t& value = values[row * w.cols + i];
      value = f32_to_f16(f16_to_f32(value) * norm * column[i]);
    }
  }
}

// The best of all logits, by ascending id.
std::vector<Candidate> best_of(std::span<const float> logits, std::size_t n) {
  std::vector<Candidate> all;
  for (std::size_t i = 0; i < logits.size(); ++i)
    all.push_back({TokenId{static_cast<std::int32_t>(i)}, logits[i]});
  std::ranges::nth_element(all, all.begin() + static_cast<std::ptrdiff_t>(n - 1),
                           [](const Candidate& a, const Candidate& b) {
                             return a.logit != b.logit ? a.logit > b.logit : to_int(a.id) < to_int(b.id);
                           });
  all.resize(n);
  std::ranges::sort(all, {}, [](const Candidate& c) { return to_int(c.id); });
  return all;
}

// Decodes, half of the time with the best token and else with any, and compares every search.
void expect_equal(const char* preset, bool like_trained) {
  ThreadPool pool(2);
  const AnonymousMemory memory = make_synthetic_model(*find_synthetic_preset(preset), 7, pool);
  const std::span file{static_cast<const std::byte*>(memory.data()), memory.size()};
  if (like_trained) make_like_trained(Model::from_bytes(file, preset).impl().weights.output);
  const Model model = Model::from_bytes(file, preset, {.n_threads = 2, .head = HeadKind::screened});
  Session session(model, {.ctx_size = 512, .n_threads = 2});
  std::mt19937 rng(1);
  std::array<HeadSearchCounts, kBest.size()> sums;
  std::size_t n_different = 0;
  TokenId next{5};
  for (std::size_t position = 0; position < kPositions; ++position) {
    if (to_index(session.position()) == session.ctx_size()) session.rewind(Position{0});
    session.advance({&next, 1});
    std::vector<std::vector<Candidate>> found;
    for (std::size_t i = 0; i < kBest.size(); ++i) {
      session.impl().search.take_counts();
      const auto candidates = session.candidates({.n_best = kBest[i]});
      found.emplace_back(candidates.begin(), candidates.end());
      const HeadSearchCounts counts = session.impl().search.take_counts();
      sums[i].whole += counts.whole;
      sums[i].full += counts.full;
      sums[i].most_full = std::max(sums[i].most_full, counts.most_full);
      sums[i].bytes += counts.bytes;
    }
    const std::span<const float> logits = session.logits();
    for (std::size_t i = 0; i < kBest.size(); ++i) {
      const bool same = std::ranges::equal(
          found[i], best_of(logits, kBest[i]),
          [](const Candidate& a, const Candidate& b) { return a.id == b.id && a.logit == b.logit; });
      n_different += same ? 0 : 1;
    }
    next = rng() % 2 == 0 ? found[0][0].id : TokenId{static_cast<std::int32_t>(rng() % model.info().vocab)};
  }
  EXPECT_EQ(n_different, 0U);
  std::printf("%s%s: %zu positions, %zu of their searches differ\n", preset,
              like_trained ? ", norms and columns like trained" : "", kPositions, n_different);
  for (std::size_t i = 0; i < kBest.size(); ++i) {
    const auto mean = [&](std::uint64_t sum) { return static_cast<double>(sum) / kPositions; };
    std::printf("  best %4zu: rows in full %8.1f, at most %5llu; %.1f MB read; all logits in %llu\n",
                kBest[i], mean(sums[i].full), static_cast<unsigned long long>(sums[i].most_full),
                mean(sums[i].bytes) / 1e6, static_cast<unsigned long long>(sums[i].whole));
  }
}

TEST(ScreenedHeadFullSize, DISABLED_EqualsTheExactHeadOfRandomWeights) { expect_equal("2b-4t", false); }
TEST(ScreenedHeadFullSize, DISABLED_EqualsTheExactHeadWhereTheBestStandsOut) {
  expect_equal("2b-4t-peaked", false);
}
TEST(ScreenedHeadFullSize, DISABLED_EqualsTheExactHeadOfNormsLikeTrained) { expect_equal("2b-4t", true); }
TEST(ScreenedHeadFullSize, DISABLED_EqualsTheExactHeadOfNormsLikeTrainedWhereTheBestStandsOut) {
  expect_equal("2b-4t-peaked", true);
}

}  // namespace
}  // namespace bitnet
