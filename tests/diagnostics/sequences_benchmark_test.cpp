#include "diagnostics/sequences_benchmark.h"

#include <gtest/gtest.h>

#include <vector>

#include "bitnet/error.h"
#include "diagnostics/tiny_model.h"
#include "model/model_impl.h"

namespace bitnet {
namespace {

BenchmarkTest decode(std::size_t n_tokens, std::size_t depth, std::size_t n_sequences) {
  return {BenchmarkTest::Kind::decode, n_tokens, depth, false, {.max_tokens = 0}, n_sequences};
}

TEST(SequencesBenchmark, CountsTheTokensOfAllSequencesAndThePassesThatTheyShare) {
  const TinyModel tiny;
  const double head_bytes = static_cast<double>(quant::n_bytes_of(tiny.model.impl().weights.output));
  for (const BenchmarkTest& test : {decode(5, 0, 3), decode(3, 100, 8), decode(4, 64, 2)}) {
    SequencesBenchmark benchmark(tiny.model, {.n_threads = 1}, true, test, HeadKind::exact);
    ASSERT_TRUE(benchmark.warm_up());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(benchmark.repeat());
    const BenchmarkResult result = benchmark.take_result();
    ASSERT_EQ(result.rates.size(), 3U) << name_of(test);
    for (const double rate : result.rates) EXPECT_GT(rate, 0) << name_of(test);
    EXPECT_EQ(result.threads.size(), 3U);
    EXPECT_EQ(result.read_bytes_per_second.size(), 3U);
    EXPECT_EQ(result.draft.n_passes, 3 * test.n_tokens);
    EXPECT_FALSE(result.profile.empty());
    // The head is read once for all.
    EXPECT_DOUBLE_EQ(result.head.bytes_per_token, head_bytes / static_cast<double>(test.n_sequences));
    EXPECT_NE(result.activations, ActivationType::automatic);
    EXPECT_EQ(benchmark.take_result().rates.size(), 0U);
  }
}

// What is counted of the head is of the repetitions alone, not of what each sequence begins with.
TEST(SequencesBenchmark, CountsWhatTheScreenReadsForATokenOfEach) {
  const TinyModel tiny({.n_threads = 1, .head = HeadKind::screened});
  SequencesBenchmark benchmark(tiny.model, {.n_threads = 1}, false, decode(6, 20, 4), HeadKind::screened);
  ASSERT_TRUE(benchmark.warm_up());
  ASSERT_TRUE(benchmark.repeat());
  ASSERT_TRUE(benchmark.repeat());
  const BenchmarkResult result = benchmark.take_result();
  const double rows = static_cast<double>(tiny.model.impl().weights.output.rows);
  EXPECT_GE(result.head.rows_in_full, 1);
  EXPECT_LE(result.head.rows_in_full, rows);
  EXPECT_LE(result.head.rows_in_full, static_cast<double>(result.head.most_rows_in_full));
  EXPECT_GT(result.head.bytes_per_token, 0);
}

TEST(SequencesBenchmark, RefusesATestThatDoesNotFitTheContext) {
  const TinyModel tiny;
  const std::size_t context = tiny.model.info().context_length;
  EXPECT_THROW(
      SequencesBenchmark(tiny.model, {.n_threads = 1}, false, decode(context + 1, 0, 2), HeadKind::exact),
      UsageError);
  EXPECT_THROW(SequencesBenchmark(tiny.model, {.n_threads = 1}, false,
                                  decode(1, static_cast<std::size_t>(-1), 2), HeadKind::exact),
               UsageError);
}

TEST(SequencesBenchmark, StopsWhereverItIsAsked) {
  const TinyModel tiny;
  for (int stop_at = 1; stop_at <= 12; ++stop_at) {
    int asked = 0;
    SequencesBenchmark benchmark(tiny.model, {.n_threads = 1}, false, decode(3, 40, 3), HeadKind::exact,
                                 [&] { return ++asked < stop_at; });
    bool goes_on = benchmark.warm_up();
    for (int i = 0; i < 8 && goes_on; ++i) goes_on = benchmark.repeat();
    EXPECT_FALSE(goes_on);
    EXPECT_EQ(asked, stop_at);
  }
}

}  // namespace
}  // namespace bitnet
