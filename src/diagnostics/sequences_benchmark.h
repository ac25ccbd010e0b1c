// How fast many sequences decode together.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "bitnet/scheduler.h"
#include "diagnostics/repeated_test.h"

namespace bitnet {

// A decode test of several sequences: after each repetition they begin again, with the keys and values of
// their first tokens still there. The tokens are the model's own. The threads read after every pass.
class SequencesBenchmark : public RepeatedTest {
 public:
  // Of the options, context, number of sequences and room for their keys and values are the test's. `head`:
  // exact where the model has a screen, or the model's own. Asks keep_going before every pass. Throws
  // UsageError when the model's context has no room for the test, and what Scheduler throws. The model must
  // outlive the object.
  SequencesBenchmark(const Model& model, SchedulerOptions options, bool profile, const BenchmarkTest& test,
                     HeadKind head, std::function<bool()> keep_going = {});

  bool warm_up() override;
  bool repeat() override;
  BenchmarkResult take_result() override;

 private:
  SequencesBenchmark(std::unique_ptr<Scheduler> scheduler, const Model& model, bool profile,
                     const BenchmarkTest& test, HeadKind head, std::function<bool()> keep_going);
  bool begin(std::size_t max_tokens);
  void end();
  bool pass(Spent& total);
  void add_head_work(const HeadSearchCounts& counts);

  std::unique_ptr<Scheduler> scheduler_;
  HeadKind head_kind_;
  std::function<bool()> keep_going_;
  std::vector<SequenceId> running_;
  std::size_t n_begun_ = 0;  // of them, those that have chosen a token
  HeadWork head_;            // of all repetitions, summed up
};

}  // namespace bitnet
