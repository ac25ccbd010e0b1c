#include "cli/bench/bench_measure.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
#include <span>
#include <utility>

#include "base/cpu_count.h"
#include "base/seconds_since.h"
#include "bitnet/error.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/memory_use.h"
#include "diagnostics/sequences_benchmark.h"
#include "model/model_impl.h"

namespace bitnet::cli {
namespace {

struct LoadedModel {
  HeadChoice head;  // that it was loaded with
  Model model;
  double load_seconds;
};

// A model with a screen has the head as stored besides.
bool serves(const HeadChoice& loaded, const HeadChoice& wanted) {
  return (loaded.kind == wanted.kind && loaded.cached == wanted.cached) ||
         (loaded.kind == HeadKind::screened && wanted.kind == HeadKind::exact);
}

// What to load for `wanted`, so that it serves as many of the heads as it can.
HeadChoice widest(const HeadChoice& wanted, std::span<const HeadChoice> heads) {
  const auto screened = std::ranges::find(heads, HeadKind::screened, &HeadChoice::kind);
  return wanted.kind == HeadKind::exact && screened != heads.end() ? *screened : wanted;
}

AnonymousMemory make_model(const BenchSource& source, ProgressLine& progress) {
  if (!source.shape) return {};
  ThreadPool pool(usable_cores());
  return make_synthetic_model(*source.shape, 1, pool, [&](double done) {
    progress.show(fmt::format("making the model {}: {:.0f} %", source.label, 100 * done));
    return !interrupted();
  });
}

LoadedModel load(const BenchSource& source, const AnonymousMemory& memory, const HeadChoice& head,
                 const BenchOptions& o) {
  const auto start = std::chrono::steady_clock::now();
  ModelOptions options;
  options.model = source.path;
  options.quiet = o.quiet;
  options.verbose = o.verbose;
  options.weights = o.weights;
  options.head = head;
  options.sparse = o.sparse;
  const auto go_on = [](double) { return !interrupted(); };
  const LoadOptions from_memory{.n_threads = usable_cores(),
                                .weights = o.weights,
                                .head = head.kind,
                                .sparse = o.sparse,
                                .cache_head = head.cached,
                                .on_progress = go_on};
  Model model = !source.shape
                    ? load_model(options)
                    : Model::from_bytes({static_cast<const std::byte*>(memory.data()), memory.size()},
                                        source.label, from_memory);
  return {head, std::move(model), seconds_since(start)};
}

// Tokens that the longest test takes.
std::size_t context_for(std::span<const BenchRow> rows, const Model& model) {
  std::size_t n = 0;
  for (const BenchRow& row : rows) {
    const std::size_t most = model.info().context_length;
    if (row.test.depth > most || row.test.n_tokens > most - row.test.depth) {
      throw UsageError("test " + name_of(row.test) + " does not fit the context of " + std::to_string(most) +
                       " tokens that " + row.model + " was made for; give smaller numbers to -p, -n or -d");
    }
    n = std::max(n, row.test.depth + row.test.n_tokens);
  }
  return n;
}

// Many repetitions are measured in rounds, some of each test in every one: what disturbs for seconds then
// meets a part of a row's. Fewer than these are not worth the warming up.
constexpr std::size_t kLeastOfRound = 3;
constexpr std::size_t kMostRounds = 3;

// Of `n` things in as equal shares as there can be.
std::size_t share_of(std::size_t n, std::size_t n_shares, std::size_t i) {
  return n * (i + 1) / n_shares - n * i / n_shares;
}

MachineSpeed mean_of(const MachineSpeed& a, const MachineSpeed& b) {
  return {std::midpoint(a.read_bytes_per_second, b.read_bytes_per_second),
          std::midpoint(a.int8_macs_per_second, b.int8_macs_per_second)};
}

MachineSpeed best_of(const MachineSpeed& a, const MachineSpeed& b) {
  return {std::max(a.read_bytes_per_second, b.read_bytes_per_second),
          std::max(a.int8_macs_per_second, b.int8_macs_per_second)};
}

// A model for each kind of head, exact and screened sharing one, and the sessions of one backend and number
// of threads.
class Measurement {
 public:
  Measurement(const BenchSource& source, const BenchOptions& o, ProgressLine& progress)
      : options_(o),
        repetitions_(o.repetitions.value_or(o.gate ? kGateRepetitions : kRepetitions)),
        progress_(progress),
        memory_(make_model(source, progress)) {
    progress.clear();  // loading may have something to say
    for (const HeadChoice& head : o.heads) {
      const auto same =
          std::ranges::find_if(models_, [&](const LoadedModel& loaded) { return serves(loaded.head, head); });
      model_of_.push_back(static_cast<std::size_t>(same - models_.begin()));
      if (same == models_.end()) models_.push_back(load(source, memory_, widest(head, o.heads), o));
    }
    sessions_.resize(o.heads.size());
    load_peak_ = memory_use().peak_bytes;
    restart_peak();
    ThreadPool pool(usable_cores());
    // As many bytes as the model has: small ones are read from the caches.
    array_.emplace(model().info().file_bytes, pool);
  }

  const Model& model() const { return models_[0].model; }

  std::size_t repetitions() const { return repetitions_; }

  // Rows that differ in the head alone. False when interrupted.
  bool measure(std::span<BenchRow> rows, const SessionOptions& options, std::size_t n_repetitions) {
    set_up(rows, options);
    std::vector<std::unique_ptr<RepeatedTest>> tests;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const LoadedModel& loaded = model_for(rows[i]);
      const HeadKind head = options_.heads[rows[i].head_choice].kind == HeadKind::exact
                                ? HeadKind::exact
                                : loaded.model.info().head.kind;
      tests.push_back(make_test(rows[i], loaded.model, head, options));
      progress_.show(what(rows[i]) + ": warming up");
      if (!tests[i]->warm_up()) return false;
    }
    MachineSpeed before = probe_->sample();
    for (std::size_t repetition = 0; repetition < n_repetitions; ++repetition) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        progress_.show(fmt::format("{}: {} of {}", what(rows[i]), repetition + 1, n_repetitions));
        if (!tests[i]->repeat()) return false;
        const MachineSpeed after = probe_->sample();
        rows[i].machine.push_back(mean_of(before, after));
        before = after;
      }
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const BenchmarkResult result = tests[i]->take_result();
      // By the pace of the repetition itself where it is known, not of the moments around it.
      const auto new_samples = std::span(rows[i].machine).last(result.rates.size());
      for (std::size_t k = 0; k < new_samples.size(); ++k) {
        if (result.read_bytes_per_second[k] > 0) {
          new_samples[k].read_bytes_per_second = result.read_bytes_per_second[k];
        }
      }
      fill(rows[i], result);
    }
    return true;
  }

 private:
  // Sessions are kept from test to test; their memory goes before the next ones' comes.
  void set_up(std::span<const BenchRow> rows, SessionOptions options) {
    const BenchRow& row = rows[0];
    if (is_set_up_for_ != std::pair(row.backend, row.n_threads)) {
      for (auto& session : sessions_) session.reset();
      probe_.reset();
      is_set_up_for_ = {row.backend, row.n_threads};
    }
    options.backend = row.backend;
    options.n_threads = row.n_threads;
    for (const BenchRow& each : rows) {
      auto& session = sessions_[each.head_choice];
      if (each.test.n_sequences == 1 && !session) session.emplace(model_for(each).model, options);
    }
    if (!probe_) probe_.emplace(*array_, row.backend, row.n_threads);
  }

  std::unique_ptr<RepeatedTest> make_test(const BenchRow& row, const Model& model, HeadKind head,
                                          const SessionOptions& options) {
    const auto keep_going = [] { return !interrupted(); };
    if (row.test.n_sequences == 1) {
      return std::make_unique<Benchmark>(*sessions_[row.head_choice], model, row.test, head, keep_going);
    }
    const SchedulerOptions together{.pass_tokens = options.prefill_chunk,
                                    .n_threads = row.n_threads,
                                    .pin_threads = options.pin_threads,
                                    .kv_type = options.kv_type,
                                    .activations = options.activations,
                                    .backend = row.backend};
    return std::make_unique<SequencesBenchmark>(model, together, options.profile, row.test, head, keep_going);
  }

  std::string what(const BenchRow& row) const {
    return sessions_.size() > 1 ? fmt::format("{}, {} head", name_of(row), name_of(row.head.kind))
                                : name_of(row);
  }

  const LoadedModel& model_for(const BenchRow& row) const { return models_[model_of_[row.head_choice]]; }

  // What is measured again is added to what there is.
  void fill(BenchRow& row, const BenchmarkResult& result) const {
    const LoadedModel& loaded = model_for(row);
    const Model& model = loaded.model;
    row.rates.insert(row.rates.end(), result.rates.begin(), result.rates.end());
    row.threads.insert(row.threads.end(), result.threads.begin(), result.threads.end());
    row.limit = best_of(row.limit, probe_->best());
    add_times(row.profile, result.profile);
    row.architecture = model.info().architecture;
    row.model_bytes = model.info().file_bytes;
    row.weights = model.impl().weights.repacked.size() > 0 ? WeightMemory::repack : WeightMemory::mmap;
    row.work = work_per_token(model, options_.kv_type);
    row.activations = result.activations;
    row.head = model.info().head;
    row.head.extra_bytes = model.impl().head_copy_bytes();
    row.load_seconds = loaded.load_seconds;
    if (options_.heads[row.head_choice].kind == HeadKind::exact) {
      row.load_seconds -= row.head.seconds;  // of the screen, which this one makes no use of
      const std::uint64_t stored = row.head.stored_bytes;
      row.head = {};
      row.head.stored_bytes = stored;
    }
    row.head_work = result.head;
    row.draft.n_passes += result.draft.n_passes;
    row.draft.n_drafted += result.draft.n_drafted;
    row.draft.n_accepted += result.draft.n_accepted;
    row.sparse = model.info().sparse;
    add_work(row.sparse_work, result.sparse);
    if (row.test.kind == BenchmarkTest::Kind::decode) {
      const std::size_t n_tokens = std::max<std::size_t>(1, row.test.n_counted() * row.rates.size());
      row.work.share_passes(static_cast<double>(row.draft.n_passes) / static_cast<double>(n_tokens),
                            row.test.n_sequences == 1);
      row.work.set_head_bytes(static_cast<std::uint64_t>(row.head_work.bytes_per_token));
      row.work.leave_out(row.sparse_work);
    }
    // Without the array to read, all of which is there.
    const std::uint64_t peak = memory_use().peak_bytes;
    const std::uint64_t array = array_->bytes().size();
    row.peak_bytes = std::max({row.peak_bytes, load_peak_, peak > array ? peak - array : 0});
  }

  const BenchOptions& options_;
  std::size_t repetitions_;
  ProgressLine& progress_;
  AnonymousMemory memory_;  // of a synthetic model
  std::vector<LoadedModel> models_;
  std::vector<std::size_t> model_of_;             // each head
  std::vector<std::optional<Session>> sessions_;  // for each head
  std::pair<std::string, unsigned> is_set_up_for_;
  std::uint64_t load_peak_ = 0;
  std::optional<ReadArray> array_;
  std::optional<MachineProbe> probe_;
};

}  // namespace

bool measure_model(const BenchSource& source, const BenchOptions& o, ProgressLine& progress,
                   std::vector<BenchRow>& rows) {
  const auto is_of_source = [&](const BenchRow& row) { return row.model == source.label; };
  const auto first = std::ranges::find_if(rows, is_of_source);
  const std::span all(first, std::find_if_not(first, rows.end(), is_of_source));
  restart_peak();
  Measurement measurement(source, o, progress);
  SessionOptions options;
  options.ctx_size = context_for(all, measurement.model());
  options.kv_type = o.kv_type;
  options.activations = o.activations;
  options.prefill_chunk = o.prefill_chunk;
  options.profile = o.profile;
  options.pin_threads = o.pin;
  const std::size_t n_rounds =
      std::clamp<std::size_t>(measurement.repetitions() / kLeastOfRound, 1, kMostRounds);
  for (std::size_t round = 0; round < n_rounds; ++round) {
    const std::size_t n_repetitions = share_of(measurement.repetitions(), n_rounds, round);
    for (std::span left = all; !left.empty();) {
      if (interrupted()) return false;
      std::size_t n = 1;
      while (n < left.size() && differ_in_head_alone(left[0], left[n])) ++n;
      if (!measurement.measure(left.first(n), options, n_repetitions)) return false;
      left = left.subspan(n);
    }
  }
  return true;
}

}  // namespace bitnet::cli
