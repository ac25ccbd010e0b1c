#include "cli/bench/bench_measure.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>
#include <utility>

#include "base/cpu_count.h"
#include "base/seconds_since.h"
#include "bitnet/error.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/memory_use.h"
#include "model/model_impl.h"

namespace bitnet::cli {
namespace {

// Smaller models are read from the caches.
constexpr std::uint64_t kProbedBytes = std::uint64_t{256} << 20;

struct LoadedModel {
  Model model;
  double load_seconds;
};

AnonymousMemory make_model(const BenchSource& source, ProgressLine& progress) {
  if (source.shape == nullptr) return {};
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
  const auto go_on = [](double) { return !interrupted(); };
  const LoadOptions from_memory{.n_threads = usable_cores(),
                                .weights = o.weights,
                                .head = head.kind,
                                .cache_head = head.cached,
                                .on_progress = go_on};
  Model model = source.shape == nullptr
                    ? load_model(options)
                    : Model::from_bytes({static_cast<const std::byte*>(memory.data()), memory.size()},
                                        source.label, from_memory);
  return {std::move(model), seconds_since(start)};
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

// A model for each kind of head, and the sessions of one backend and number of threads.
class Measurement {
 public:
  Measurement(const BenchSource& source, const BenchOptions& o, ProgressLine& progress)
      : options_(o), progress_(progress), memory_(make_model(source, progress)) {
    progress.clear();  // loading may have something to say
    for (const HeadChoice& head : o.heads) models_.push_back(load(source, memory_, head, o));
    sessions_.resize(models_.size());
  }

  const Model& model() const { return models_[0].model; }

  // Rows that differ in the head alone, row i with the i-th. False when interrupted.
  bool measure(std::span<BenchRow> rows, const SessionOptions& options) {
    set_up(rows, options);
    std::vector<Benchmark> benchmarks;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      benchmarks.emplace_back(*sessions_[i], models_[i].model, rows[i].test, [] { return !interrupted(); });
      progress_.show(what(rows[i]) + ": warming up");
      if (!benchmarks[i].warm_up()) return false;
    }
    for (std::size_t repetition = 0; repetition < options_.repetitions; ++repetition) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        progress_.show(fmt::format("{}: {} of {}", what(rows[i]), repetition + 1, options_.repetitions));
        if (probe_) rows[i].read_samples.push_back(probe_->sample());
        if (!benchmarks[i].repeat()) return false;
      }
    }
    for (std::size_t i = 0; i < rows.size(); ++i) fill(rows[i], models_[i], benchmarks[i].take_result());
    return true;
  }

 private:
  // Sessions are kept from test to test; their memory goes before the next ones' comes.
  void set_up(std::span<const BenchRow> rows, SessionOptions options) {
    const BenchRow& row = rows[0];
    if (sessions_[0] &&
        (sessions_[0]->backend() != row.backend || sessions_[0]->n_threads() != row.n_threads)) {
      for (auto& session : sessions_) session.reset();
      probe_.reset();
    }
    options.backend = row.backend;
    options.n_threads = row.n_threads;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!sessions_[i]) sessions_[i].emplace(models_[i].model, options);
    }
    const std::span<const std::byte> bytes = model().impl().weight_memory();
    if (!probe_ && bytes.size() >= kProbedBytes) probe_.emplace(bytes, row.n_threads);
  }

  std::string what(const BenchRow& row) const {
    return models_.size() > 1 ? fmt::format("{}, {} head", name_of(row), name_of(row.head.kind))
                              : name_of(row);
  }

  void fill(BenchRow& row, const LoadedModel& loaded, BenchmarkResult result) const {
    const Model& model = loaded.model;
    row.rates = std::move(result.rates);
    row.profile = std::move(result.profile);
    row.architecture = model.info().architecture;
    row.model_bytes = model.info().file_bytes;
    row.weights = model.impl().weights.repacked.size() > 0 ? WeightMemory::repack : WeightMemory::mmap;
    row.work = work_per_token(model, options_.kv_type);
    row.head = model.info().head;
    row.head_work = result.head;
    if (row.test.kind == BenchmarkTest::Kind::decode)
      row.work.set_head_bytes(static_cast<std::uint64_t>(row.head_work.bytes_per_token));
    row.load_seconds = loaded.load_seconds;
    row.peak_bytes = memory_use().peak_bytes;
  }

  const BenchOptions& options_;
  ProgressLine& progress_;
  AnonymousMemory memory_;  // of a synthetic model
  std::vector<LoadedModel> models_;
  std::vector<std::optional<Session>> sessions_;
  std::optional<ReadProbe> probe_;
};

}  // namespace

bool measure_model(const BenchSource& source, const BenchOptions& o, ProgressLine& progress,
                   std::vector<BenchRow>& rows) {
  const auto is_of_source = [&](const BenchRow& row) { return row.model == source.label; };
  const auto first = std::ranges::find_if(rows, is_of_source);
  std::span left(first, std::find_if_not(first, rows.end(), is_of_source));
  restart_peak();
  Measurement measurement(source, o, progress);
  SessionOptions options;
  options.ctx_size = context_for(left, measurement.model());
  options.kv_type = o.kv_type;
  options.prefill_chunk = o.prefill_chunk;
  options.profile = o.profile;
  options.pin_threads = o.pin;
  while (!left.empty()) {
    if (interrupted()) return false;
    std::size_t n = 1;
    while (n < left.size() && differ_in_head_alone(left[0], left[n])) ++n;
    if (!measurement.measure(left.first(n), options)) return false;
    left = left.subspan(n);
  }
  return true;
}

}  // namespace bitnet::cli
