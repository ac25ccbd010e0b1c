// Conversions: a source, a plan, files, and the proof that they say the same.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "convert/layout.h"
#include "convert/plan.h"
#include "convert/proof.h"
#include "convert/source.h"
#include "convert/verify_run.h"

namespace bitnet::convert {

struct ConvertOptions {
  PlanOptions plan;
  SplitOptions split;
  bool force = false;                   // files that are there are replaced
  bool dry_run = false;                 // nothing is written, but all is tried
  std::optional<std::string> report{};  // a file that is written too, and must be another
  std::optional<std::string>
      verify_prompt{};        // run through both, or the result alone if the source is a folder
  LoadOptions source_load{};  // with what it is run
  unsigned n_threads = 1;     // of those runs
};

struct TensorReport {
  std::string name;
  std::string from;  // what it was: "I2_S"
  std::string to;    // what it is: "TQ2_0"
  Way way = Way::copy;
  bool is_lossless = false;  // was promised
  std::vector<std::uint64_t> dims;
  std::uint64_t from_bytes = 0;  // 0: it was not there
  std::uint64_t to_bytes = 0;
  std::optional<TensorProof> proof{};  // none before anything is written
};

struct ConvertReport {
  std::string input;
  std::vector<std::string> outputs;
  std::uint64_t output_bytes = 0;
  bool is_written = false;
  bool changes_values = false;  // the repairs do
  std::vector<Repair> repairs;
  std::vector<std::string> warnings;
  std::vector<TensorReport> tensors;
  std::optional<RunComparison> runs{};
  std::string no_runs;                 // why there is none, though it was asked for
  std::optional<std::string> failure;  // what the proof found: nothing was left behind

  bool is_lossless() const;  // every value of every tensor is what it was
};

// `phase` is a word: "looking", "writing", "reading back", "running".
using PhaseProgress = std::function<bool(double fraction, std::string_view phase)>;

// Throws ModelError for a source that does not go into what was asked for, UsageError for an output that
// cannot be (one of the source's own files, a file that is there, a device), RuntimeError when writing fails
// or on_progress says no. Whatever it throws, and where the proof fails, what stood under the output's name
// stays.
ConvertReport convert(const Source& source, const std::string& output, const ConvertOptions& options,
                      ThreadPool& pool, const PhaseProgress& on_progress);

// Throws UsageError where these files cannot be written: before the work, for what is known then.
void check_outputs(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs,
                   bool force);

}  // namespace bitnet::convert
