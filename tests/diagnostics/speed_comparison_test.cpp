// Verdicts on made-up samples: no clock is asked.
#include "diagnostics/speed_comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "diagnostics/rank_test.h"

namespace bitnet {
namespace {

constexpr double kTolerance = 0.05;

// A build on a machine that others use. Each token takes `work` seconds of multiplying and reads `bytes`.
struct Build {
  double work = 0.01;
  double bytes = 0;
  double noise = 0.01;  // deviation of the logarithm of each time
};
struct Machine {
  double share = 1;  // of the processors
  double read = 50e9;
  double int8 = 400e9;  // `work` is for this many
};

SpeedSamples run(const Build& build, const Machine& machine, std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  SpeedSamples speed{.samples = {}, .n_tokens = 8, .n_threads = 2, .bytes_per_token = build.bytes};
  for (std::size_t i = 0; i < n; ++i) {
    const double seconds = (build.work * 400e9 / machine.int8 + build.bytes / machine.read) *
                           std::exp(build.noise * normal(random));
    SpeedSamples::Sample sample;
    sample.tokens_per_second = machine.share / seconds;
    sample.threads = ThreadTimes{.ran = seconds * 8 * 2, .waited = seconds * 8 * 2 * (1 / machine.share - 1)};
    sample.machine = {.read_bytes_per_second = machine.read, .int8_macs_per_second = machine.int8};
    speed.samples.push_back(sample);
  }
  return speed;
}

SpeedVerdict verdict(const SpeedSamples& saved, const SpeedSamples& now) {
  return compare_speed(saved, now, kTolerance).verdict;
}

TEST(SpeedComparison, TellsSlowerSameAndFasterBuildsApart) {
  const SpeedSamples saved = run({}, {}, 10, 1);
  EXPECT_EQ(verdict(saved, run({}, {}, 10, 2)), SpeedVerdict::same);
  EXPECT_EQ(verdict(saved, run({.work = 0.01 / 0.9}, {}, 10, 3)), SpeedVerdict::slower);
  EXPECT_EQ(verdict(saved, run({.work = 0.01 * 0.9}, {}, 10, 4)), SpeedVerdict::faster);
  EXPECT_EQ(verdict(saved, run({.work = 0.01 / 0.98}, {}, 10, 5)), SpeedVerdict::same);
}

// Nineteen of twenty either way, of builds whose repetitions differ by 5 per cent.
TEST(SpeedComparison, IsWrongOnceInTwentyTimesAtMost) {
  int n_slower = 0;
  int n_missed = 0;
  for (unsigned i = 0; i < 200; ++i) {
    const SpeedSamples saved = run({.noise = 0.05}, {}, 10, 3 * i);
    const SpeedComparison same = compare_speed(saved, run({.noise = 0.05}, {}, 20, 3 * i + 1), kTolerance);
    const SpeedComparison slower =
        compare_speed(saved, run({.work = 0.01 / 0.9, .noise = 0.05}, {}, 20, 3 * i + 2), kTolerance);
    n_slower += likelier(same, kTolerance) == SpeedVerdict::slower ? 1 : 0;
    n_missed += likelier(slower, kTolerance) == SpeedVerdict::slower ? 0 : 1;
  }
  EXPECT_LE(n_slower, 10);
  EXPECT_LE(n_missed, 10);
}

TEST(SpeedComparison, DoesNotTakeABusyMachineForASlowBuild) {
  const Build build{.work = 0.005, .bytes = 0.25e9};
  const SpeedSamples saved = run(build, {}, 10, 1);
  for (const Machine& busy : {Machine{.share = 0.4}, Machine{.read = 30e9}, Machine{.int8 = 300e9},
                              Machine{.share = 0.3, .read = 20e9, .int8 = 350e9}}) {
    const SpeedComparison same = compare_speed(saved, run(build, busy, 10, 2), kTolerance);
    EXPECT_EQ(same.verdict, SpeedVerdict::same) << same.ratio;
    EXPECT_LT(same.machine, 0.95);
    EXPECT_EQ(same.by_processor_time, busy.share < 1);
    const Build slow{.work = 0.005 / 0.9, .bytes = 0.25e9 / 0.9};
    SpeedSamples slower = run(slow, busy, 10, 3);
    slower.bytes_per_token = build.bytes;  // what the model is known to need
    EXPECT_EQ(verdict(saved, slower), SpeedVerdict::slower);
    // The other way round too: saved while the machine was busy.
    EXPECT_EQ(verdict(run(build, busy, 10, 2), saved), SpeedVerdict::same);
  }
}

// What only waits takes no processor's time: where nobody disturbs, the clock decides.
TEST(SpeedComparison, SeesThreadsThatWaitWhereNobodyDisturbs) {
  const SpeedSamples saved = run({}, {}, 10, 1);
  SpeedSamples waiting = run({}, {}, 10, 2);
  for (auto& sample : waiting.samples) sample.tokens_per_second *= 0.8;
  EXPECT_FALSE(waiting.disturbed());
  EXPECT_EQ(verdict(saved, waiting), SpeedVerdict::slower);
}

TEST(SpeedComparison, IsUnclearOfFewOrScatteredSamples) {
  EXPECT_EQ(verdict(run({}, {}, 1, 1), run({}, {}, 3, 2)), SpeedVerdict::unclear);
  EXPECT_EQ(verdict(run({.noise = 0.4}, {}, 5, 1), run({.noise = 0.4}, {}, 5, 2)), SpeedVerdict::unclear);
  const SpeedComparison unclear{.ratio = 0.94, .verdict = SpeedVerdict::unclear};
  EXPECT_EQ(likelier(unclear, 0.05), SpeedVerdict::slower);
  EXPECT_EQ(likelier(unclear, 0.07), SpeedVerdict::same);
}

// Files saved by versions that kept speeds alone.
TEST(SpeedComparison, GoesByTheClockWhereTheSavedRunKnowsNothingElse) {
  SpeedSamples saved = run({}, {.share = 0.5}, 10, 1);
  for (auto& sample : saved.samples) {
    sample.threads.reset();
    sample.machine = {};
  }
  const SpeedComparison comparison = compare_speed(saved, run({}, {.share = 0.5}, 10, 2), kTolerance);
  EXPECT_FALSE(comparison.by_processor_time);
  EXPECT_EQ(comparison.verdict, SpeedVerdict::same);
  EXPECT_EQ(verdict(saved, run({.work = 0.01 / 0.9}, {.share = 0.5}, 10, 3)), SpeedVerdict::slower);
}

}  // namespace
}  // namespace bitnet
