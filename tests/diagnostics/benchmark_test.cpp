#include "diagnostics/benchmark.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "base/seconds_since.h"
#include "base/thread_times.h"
#include "bitnet/error.h"
#include "diagnostics/machine_limits.h"
#include "diagnostics/tiny_model.h"
#include "model/model_impl.h"
#include "model/synthetic/synthetic.h"
#include "quant/file_types.h"

namespace bitnet {
namespace {

using Kind = BenchmarkTest::Kind;

// Counted another way: with a tied head every tensor of the file is read once, whatever it is for.
void expect_work_of_all_tensors(const Model& model) {
  ASSERT_TRUE(model.info().tied_output);
  std::uint64_t bytes = 0;
  std::uint64_t layer_macs = 0;
  for (const gguf::Tensor& t : model.impl().file.tensors()) {
    bytes += quant::info(quant::find_type(t.type)->type).n_bytes(t.dims[1], t.dims[0]);
    if (t.n_dims == 2 && t.name.starts_with("blk.")) layer_macs += t.n_elements();
  }
  const WorkPerToken work = work_per_token(model, KvType::f16);
  EXPECT_EQ(work.weight_bytes, bytes);
  EXPECT_EQ(work.layer_macs, layer_macs);
  EXPECT_EQ(work.head_macs, model.info().vocab * model.info().hidden);
}

TEST(CountedWork, IsThatOfEveryTensorOnce) {
  expect_work_of_all_tensors(TinyModel().model);
  expect_work_of_all_tensors(Model::load(std::string(BITNET_MODELS) + "/canary.gguf"));
}

TEST(CountedWork, CountsTheCacheByItsType) {
  const TinyModel tiny;  // 2 layers, 2 of 4 heads of 64 values in the cache
  EXPECT_EQ(work_per_token(tiny.model, KvType::f16).kv_bytes, 2U * 2 * 128 * 2);
  EXPECT_EQ(work_per_token(tiny.model, KvType::f32).kv_bytes, 2U * 2 * 128 * 4);
  EXPECT_EQ(work_per_token(tiny.model, KvType::q8).kv_bytes, 2U * 2 * (128 + 2 * sizeof(float)));
}

TEST(CountedWork, DecodingReadsTheCacheUpToEachTokensOwnPosition) {
  const WorkPerToken work{.kv_bytes = 10};
  const double first_three = 10.0 * (1 + 2 + 3) / 3;
  EXPECT_DOUBLE_EQ(work.kv_bytes_read({Kind::decode, 3, 0}), first_three);
  EXPECT_DOUBLE_EQ(work.kv_bytes_read({Kind::decode, 3, 100}), first_three + 1000);
}

TEST(CountedWork, IsSharedByTheTokensOfAPass) {
  const TinyModel tiny;
  const WorkPerToken alone = work_per_token(tiny.model, KvType::f16);
  WorkPerToken work = alone;
  work.share_passes(1, true);
  EXPECT_EQ(work.weight_bytes, alone.weight_bytes);
  work.share_passes(0.25, true);
  const auto bytes_of = [](const WorkPerToken& w, Work kind) {
    return w.products[static_cast<std::size_t>(kind)].weight_bytes;
  };
  const std::uint64_t head = bytes_of(alone, Work::head);
  EXPECT_EQ(bytes_of(work, Work::head), head);
  EXPECT_EQ(work.weight_bytes, head + (alone.weight_bytes - head) / 4);
  EXPECT_EQ(bytes_of(work, Work::ffn_down), bytes_of(alone, Work::ffn_down) / 4);
  EXPECT_EQ(work.kv_bytes, alone.kv_bytes / 4);
  EXPECT_EQ(work.layer_macs, alone.layer_macs);
}

TEST(CountedWork, EachSequenceReadsItsOwnCache) {
  const TinyModel tiny;
  const WorkPerToken alone = work_per_token(tiny.model, KvType::f16);
  WorkPerToken work = alone;
  work.share_passes(0.25, false);
  EXPECT_LT(work.weight_bytes, alone.weight_bytes);
  EXPECT_EQ(work.kv_bytes, alone.kv_bytes);
}

TEST(Benchmark, NamesItsTests) {
  EXPECT_EQ(name_of({Kind::prefill, 512, 0}), "pp512");
  EXPECT_EQ(name_of({Kind::decode, 128, 0}), "tg128");
  EXPECT_EQ(name_of({Kind::decode, 128, 1024}), "tg128@d1024");
  EXPECT_EQ(name_of({Kind::decode, 128, 1024, false, {.max_tokens = 0}, 8}), "tg128x8@d1024");
  EXPECT_EQ(name_of({Kind::decode, 8, 9, true, {}}), "tg8@d9 quoted draft:auto");
  EXPECT_EQ(name_of({Kind::decode, 8, 0, false, {.max_tokens = 4, .adaptive = false}}), "tg8 draft:4");
}

TEST(Benchmark, GivesOneRateForEachRepetition) {
  const TinyModel tiny;
  Session session(tiny.model, {.ctx_size = 40, .n_threads = 1, .prefill_chunk = 8});
  for (const BenchmarkTest& test : {BenchmarkTest{Kind::prefill, 20, 0}, BenchmarkTest{Kind::decode, 3, 0},
                                    BenchmarkTest{Kind::prefill, 20, 20}, BenchmarkTest{Kind::decode, 10, 30},
                                    BenchmarkTest{Kind::decode, 6, 5}}) {
    Benchmark benchmark(session, tiny.model, test, HeadKind::exact);
    ASSERT_TRUE(benchmark.warm_up());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(benchmark.repeat());
    const std::vector<double> rates = benchmark.take_result().rates;
    ASSERT_EQ(rates.size(), 3U) << name_of(test);
    for (const double rate : rates) EXPECT_GT(rate, 0) << name_of(test);
    EXPECT_EQ(to_index(session.position()), test.depth + test.n_tokens) << name_of(test);
  }
}

// The threads read beside what is measured for half as long as they compute, and no rate has that in it.
TEST(Benchmark, ReadsInTurnsWithWhatItMeasures) {
  const TinyModel tiny;
  Session session(tiny.model, {.ctx_size = 400, .n_threads = 1});
  for (const BenchmarkTest& test :
       {BenchmarkTest{Kind::prefill, 300, 0}, BenchmarkTest{Kind::decode, 300, 20}}) {
    Benchmark benchmark(session, tiny.model, test, HeadKind::exact);
    ASSERT_TRUE(benchmark.warm_up());
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(benchmark.repeat());
    const double all_seconds = seconds_since(start);
    const BenchmarkResult result = benchmark.take_result();
    ASSERT_EQ(result.read_bytes_per_second.size(), 3U);
    double measured = 0;
    double ran = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      measured += static_cast<double>(test.n_tokens) / result.rates[i];
      if (!result.threads[i]) GTEST_SKIP() << "this system doesn't count the time of threads";
      EXPECT_GT(result.read_bytes_per_second[i], 0) << name_of(test);
      ran += result.threads[i]->ran;
    }
    EXPECT_LE(ran, 1.01 * measured) << name_of(test);  // one thread runs no longer than the clock
    EXPECT_GE(all_seconds, measured + 0.49 * ran) << name_of(test);
  }
}

// What is quoted is guessed but where it differs; random tokens are hardly ever.
TEST(Benchmark, CountsTheDraftsOfQuotedTextAndOfTextThatRepeatsNothing) {
  const TinyModel tiny;
  Session session(tiny.model, {.ctx_size = 300, .n_threads = 1});
  const DraftOptions seven{.max_tokens = 7, .adaptive = false};
  const auto counts_of = [&](const BenchmarkTest& test) {
    Benchmark benchmark(session, tiny.model, test, HeadKind::exact);
    EXPECT_TRUE(benchmark.warm_up());
    EXPECT_TRUE(benchmark.repeat());
    EXPECT_EQ(to_index(session.position()), test.depth + test.n_tokens);
    const DraftCounts counts = benchmark.take_result().draft;
    EXPECT_EQ(counts.n_passes + counts.n_accepted, test.n_tokens) << name_of(test);
    return counts;
  };
  const DraftCounts quoted = counts_of({Kind::decode, 96, 150, true, seven});
  EXPECT_GT(quoted.n_accepted, 48U);
  EXPECT_GT(quoted.n_drafted, quoted.n_accepted);
  EXPECT_LT(counts_of({Kind::decode, 96, 150, false, seven}).n_accepted, 24U);
  EXPECT_EQ(counts_of({Kind::decode, 96, 150, true, {.max_tokens = 0}}).n_passes, 96U);
}

TEST(Benchmark, RefusesToQuoteNothing) {
  const TinyModel tiny;
  Session session(tiny.model, {.ctx_size = 40, .n_threads = 1});
  EXPECT_THROW(Benchmark(session, tiny.model, {Kind::decode, 5, 0, true, {}}, HeadKind::exact), UsageError);
}

TEST(Benchmark, RefusesATestThatDoesNotFitTheContext) {
  const TinyModel tiny;
  Session session(tiny.model, {.ctx_size = 40, .n_threads = 1});
  EXPECT_THROW(Benchmark(session, tiny.model, {Kind::prefill, 41, 0}, HeadKind::exact), UsageError);
  EXPECT_THROW(Benchmark(session, tiny.model, {Kind::decode, 20, 21}, HeadKind::exact), UsageError);
  EXPECT_THROW(
      Benchmark(session, tiny.model, {Kind::decode, 20, static_cast<std::size_t>(-1)}, HeadKind::exact),
      UsageError);
}

TEST(Benchmark, StopsWhereverItIsAsked) {
  const TinyModel tiny;
  for (const BenchmarkTest& test :
       {BenchmarkTest{Kind::prefill, 20, 10}, BenchmarkTest{Kind::decode, 6, 10}}) {
    for (int stop_at = 1; stop_at <= 8; ++stop_at) {
      Session session(tiny.model, {.ctx_size = 40, .n_threads = 1, .prefill_chunk = 5});
      int asked = 0;
      Benchmark benchmark(session, tiny.model, test, HeadKind::exact, [&] { return ++asked < stop_at; });
      bool goes_on = benchmark.warm_up();
      for (int i = 0; i < 5 && goes_on; ++i) goes_on = benchmark.repeat();
      EXPECT_FALSE(goes_on);
      EXPECT_EQ(asked, stop_at) << name_of(test);
    }
  }
}

TEST(Statistics, AreThoseOfASample) {
  const Statistics odd = statistics_of(std::vector{2.0, 4.0, 9.0});
  EXPECT_DOUBLE_EQ(odd.mean, 5.0);
  EXPECT_DOUBLE_EQ(odd.deviation, std::sqrt(13.0));
  EXPECT_DOUBLE_EQ(odd.median, 4.0);
  EXPECT_DOUBLE_EQ(statistics_of(std::vector{8.0, 1.0, 2.0, 4.0}).median, 3.0);
  const Statistics one = statistics_of(std::vector{7.0});
  EXPECT_EQ(one.mean, 7.0);
  EXPECT_EQ(one.deviation, 0.0);
  EXPECT_EQ(one.median, 7.0);
}

TEST(MachineLimits, AreMeasured) {
  const MachineLimits limits = measure_machine_limits("auto", 2);
  EXPECT_EQ(limits.n_threads, 2U);
  EXPECT_GT(limits.read_bytes_per_second, 0);
  EXPECT_GE(limits.int8_macs_per_second, 0);
}

long page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

// Pages that come in while the clock runs made decoding look four times as fast as reading.
TEST(MachineProbe, ReadsPagesThatAreThere) {
  constexpr std::size_t kBytes = std::size_t{48} << 20;
  ThreadPool pool(2);
  const ReadArray array(kBytes, pool);
  ASSERT_EQ(array.bytes().size(), kBytes);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> resident(kBytes / page);
  ASSERT_EQ(mincore(const_cast<std::byte*>(array.bytes().data()), kBytes, resident.data()), 0);
  EXPECT_TRUE(std::ranges::all_of(resident, [](unsigned char flags) { return (flags & 1) != 0; }));

  MachineProbe probe(array, "auto", 2);
  const long before = page_faults();
  const MachineSpeed speed = probe.sample();
  EXPECT_LT(page_faults() - before,
            1000);  // of 12,288 pages; the program, and a sanitizer, have some of their own
  EXPECT_GT(speed.read_bytes_per_second, 0);
  // The best is by the clock, a sample by the threads' own time: on a busy machine either may be higher.
  const double best = probe.best().read_bytes_per_second;
  EXPECT_GT(best, 0);
  probe.sample();
  EXPECT_GE(probe.best().read_bytes_per_second, best);
}

TEST(MachineProbe, ReadsAsMuchAsItIsToldTo) {
  ThreadPool pool(1);
  EXPECT_EQ(ReadArray(1, pool).bytes().size(), std::size_t{1} << 20);  // at least what is worth sharing out
  EXPECT_EQ(ReadArray(5'000'000, pool).bytes().size(), 5'000'000U);
  const ReadArray small(1, pool);
  MachineProbe probe(small, "scalar", 300);  // a piece for each thread, however small
  EXPECT_GT(probe.sample().read_bytes_per_second, 0);
  EXPECT_EQ(probe.best().int8_macs_per_second, 0);
}

TEST(ReadPace, GoesOnReadingForAsLongAsItIsTold) {
  ThreadPool pool(2);
  if (pool.processor_seconds() <= 0) GTEST_SKIP() << "this system has no clocks for it";
  const ReadArray array(5'000'000, pool);
  ReadPace pace(array.bytes(), pool);
  EXPECT_EQ(pace.take(), 0);
  const double before = pool.processor_seconds();
  pace.read_for(0.004);
  pace.read_for(0.004);
  EXPECT_GE(pool.processor_seconds() - before, 0.008);
  EXPECT_GT(pace.take(), 0);
  EXPECT_EQ(pace.take(), 0);  // nothing was read since

  ReadPace too_small(array.bytes().first(100), pool);
  too_small.read_for(1);
  EXPECT_EQ(too_small.take(), 0);
}

TEST(ThreadTimes, CountWhatEveryThreadRan) {
  ThreadPool pool(2);
  const std::optional<ThreadTimes> start = thread_times();
  const double before = pool.processor_seconds();
  while (pool.processor_seconds() - before < 0.01) pool.parallel_for(2, 1, [](std::size_t, std::size_t) {});
  if (!start) GTEST_SKIP() << "this system doesn't count them";
  const std::optional<ThreadTimes> times = between(start, thread_times());
  ASSERT_TRUE(times);
  EXPECT_GE(times->ran, 0.0099);
  EXPECT_GE(times->waited, 0);
  EXPECT_FALSE(between(std::nullopt, start));
  EXPECT_FALSE(between(start, start));
}

}  // namespace
}  // namespace bitnet
