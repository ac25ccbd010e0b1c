#include "diagnostics/sequences_benchmark.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <memory>
#include <utility>

#include "base/seconds_since.h"
#include "bitnet/error.h"
#include "engine/scheduler_impl.h"

namespace bitnet {
namespace {

constexpr std::size_t kBlock = KvBlocks::kTokens;
constexpr std::size_t kWarmUpPasses = 4;

// Of a sequence: something has to come before the first token that is chosen.
std::size_t prompt_size(const BenchmarkTest& test) { return std::max<std::size_t>(1, test.depth); }

std::unique_ptr<Scheduler> make_scheduler(const Model& model, SchedulerOptions options,
                                          const BenchmarkTest& test) {
  const std::size_t most = model.info().context_length;
  if (test.depth > most || test.n_tokens > most - test.depth) {
    throw UsageError("test " + name_of(test) + " does not fit a context of " + std::to_string(most) +
                     " tokens; give fewer");
  }
  options.ctx_size = prompt_size(test) + test.n_tokens + 1;
  options.n_sequences = test.n_sequences;
  // Beginnings are kept, and what follows in their last block is written to a copy of that.
  options.kv_tokens = test.n_sequences * ((options.ctx_size + kBlock - 1) / kBlock + 1) * kBlock;
  options.pass_tokens = std::max(options.pass_tokens, test.n_sequences);
  options.prompt_tokens_beside = options.pass_tokens;
  return std::make_unique<Scheduler>(model, options);
}

}  // namespace

SequencesBenchmark::SequencesBenchmark(const Model& model, SchedulerOptions options, bool profile,
                                       const BenchmarkTest& test, HeadKind head,
                                       std::function<bool()> keep_going)
    : SequencesBenchmark(make_scheduler(model, std::move(options), test), model, profile, test, head,
                         std::move(keep_going)) {}

SequencesBenchmark::SequencesBenchmark(std::unique_ptr<Scheduler> scheduler, const Model& model, bool profile,
                                       const BenchmarkTest& test, HeadKind head,
                                       std::function<bool()> keep_going)
    : RepeatedTest(model, test, scheduler->impl().runner.pool),
      scheduler_(std::move(scheduler)),
      head_kind_(head),
      keep_going_(std::move(keep_going)) {
  assert(test.kind == BenchmarkTest::Kind::decode && test.n_tokens > 0 && test.n_sequences > 0);
  assert(!test.is_quoted && test.draft.max_tokens == 0);
  Runner& runner = scheduler_->impl().runner;
  if (profile) runner.forward.profile = &runner.profile;
}

// Adds the sequences, and runs what comes before the first token that each chooses.
bool SequencesBenchmark::begin(std::size_t max_tokens) {
  n_begun_ = 0;
  for (std::size_t i = 0; i < test_.n_sequences; ++i) {
    SequenceRequest request;
    request.prompt = random_tokens(prompt_size(test_), model_.info().vocab, i);
    request.sampler.temperature = 0;
    request.max_tokens = max_tokens;
    request.all_logits = head_kind_ != HeadKind::screened;
    request.on_token = [this, begun = false](const TokenStep&) mutable {
      if (!std::exchange(begun, true)) ++n_begun_;
    };
    running_.push_back(scheduler_->add(std::move(request)));
  }
  while (n_begun_ < test_.n_sequences) {
    if (keep_going_ && !keep_going_()) return false;
    scheduler_->step();
  }
  return true;
}

void SequencesBenchmark::end() {
  for (const SequenceId id : running_) scheduler_->cancel(id);
  running_.clear();
  while (scheduler_->step()) {
  }
}

bool SequencesBenchmark::pass(Spent& total) {
  if (keep_going_ && !keep_going_()) return false;
  const double running = pool_.processor_seconds();
  const auto start = std::chrono::steady_clock::now();
  scheduler_->step();
  total.seconds += seconds_since(start);
  const double ran = pool_.processor_seconds() - running;
  total.running += ran;
  pace_.read_for(kReadingShare * ran);
  return true;
}

// First what comes before, of one sequence after the other, so that later all begin in one pass.
bool SequencesBenchmark::warm_up() {
  if (!begin(1)) return false;
  end();
  if (!begin(test_.n_tokens + 1)) return false;
  Spent spent;
  for (std::size_t i = 0; i < std::min(kWarmUpPasses, test_.n_tokens); ++i) {
    if (!pass(spent)) return false;
  }
  end();
  pace_.take();
  return true;
}

bool SequencesBenchmark::repeat() {
  if (!begin(test_.n_tokens + 1)) return false;
  Runner& runner = scheduler_->impl().runner;
  runner.take_profile();
  runner.take_sparse_work();
  runner.search.take_counts();
  const std::optional<ThreadTimes> before = thread_times();
  Spent total;
  for (std::size_t i = 0; i < test_.n_tokens; ++i) {
    if (!pass(total)) return false;
  }
  add_repetition(before, total, test_.n_counted());
  result_.draft.n_passes += test_.n_tokens;
  add_times(result_.profile, runner.take_profile());
  add_work(result_.sparse, runner.take_sparse_work());
  add_head_work(runner.search.take_counts());
  end();
  return true;
}

void SequencesBenchmark::add_head_work(const HeadSearchCounts& counts) {
  const HeadWork work = head_work(counts, test_.n_counted());
  double bytes = work.bytes_per_token;
  if (counts.searches == 0) {
    // All of it once for as many as are computed together.
    const Runner& runner = scheduler_->impl().runner;
    const std::size_t together = runner.act.logits.size() / runner.config.vocab;
    const std::size_t n_groups = (test_.n_sequences + together - 1) / together;
    bytes *= static_cast<double>(n_groups) / static_cast<double>(test_.n_sequences);
  }
  head_.bytes_per_token += bytes;
  head_.rows_in_full += work.rows_in_full;
  head_.most_rows_in_full = std::max(head_.most_rows_in_full, work.most_rows_in_full);
}

BenchmarkResult SequencesBenchmark::take_result() {
  const auto n = static_cast<double>(std::max<std::size_t>(1, result_.rates.size()));
  const HeadWork sum = std::exchange(head_, {});
  result_.head = {sum.bytes_per_token / n, sum.rows_in_full / n, sum.most_rows_in_full};
  result_.activations = scheduler_->activations();
  return std::exchange(result_, {});
}

}  // namespace bitnet
