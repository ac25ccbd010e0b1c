// Whether this build computes right on this CPU: every backend held against what is known to be right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bitnet/model.h"
#include "kernels/kernels.h"

namespace bitnet {

struct VerifyFailure {
  std::string backend;
  unsigned n_threads = 0;
  std::size_t chunk = 0;  // of the prefill; 0 where there is none
  std::string where;      // the prompt, the step, or the tensor and its row
  std::string what;       // got, and expected
};

// One line of the summary.
struct VerifyRow {
  std::string backend;
  std::string check;  // what was compared
  std::size_t n_checks = 0;
  std::size_t n_failed = 0;
  double seconds = 0;
};

// What the first table made of a prompt of the suite.
struct SuiteResult {
  std::string prompt;
  bool chat = false;
  std::string answer;
  std::uint64_t f16_digest = 0;
  std::uint64_t f32_digest = 0;
  std::uint64_t q8_digest = 0;
};

// The digest of one step of a pass over the whole suite.
struct StepResult {
  std::string step;
  std::uint64_t digest = 0;
};

struct VerifyReport {
  std::vector<VerifyRow> rows;
  std::vector<VerifyFailure> failures;  // the first of each row; n_failed counts all
  std::vector<SuiteResult> prompts;     // verify_canary only
  std::vector<StepResult> steps;        // the same
  bool complete = false;                // keep_going never said no

  std::size_t n_checks() const;
  std::size_t n_failed() const;
};

struct VerifyHooks {
  std::function<bool()> keep_going;
  std::function<void(double fraction)> on_progress;
};

// The tables to check, the specification (scalar) first: kernels::available(), or others in a test.
using KernelTables = std::span<const kernels::Kernels* const>;

// Runs every prompt of the suite (verify_suite.h) on the model that it was written for, the canary, with
// every table, 1, 2 and 3 threads, prefill chunks of 1, 7, 64 and everything; and with the other cache type.
// Answers and the bits of all logits must be the expected ones. The first table is slow: it runs the whole
// suite once and its first prompts in every combination.
VerifyReport verify_canary(const Model& canary, KernelTables tables, const VerifyHooks& hooks = {});

// Compares every kernel of every other table with the first one's, bit for bit, on the model's own tensors
// and shapes with random activations: all rows of small tensors, some of large ones. Then a few tokens of
// prefill and decode.
VerifyReport verify_model(const Model& model, KernelTables tables, unsigned n_threads,
                          const VerifyHooks& hooks = {});

}  // namespace bitnet
