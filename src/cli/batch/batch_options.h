// The command line of bitnet batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/scheduler.h"
#include "cli/options/command.h"
#include "cli/options/model_options.h"
#include "cli/options/sampling_options.h"
#include "service/batch/line_reader.h"

namespace bitnet::cli {

struct Shard {
  std::size_t index = 1;
  std::size_t n_parts = 1;
};

struct BatchCommandOptions {
  ModelOptions model;
  SamplingOptions sampling;
  std::string input;
  std::optional<std::string> output;
  bool resume = false;
  bool force = false;
  bool unordered = false;
  std::optional<service::LineRange> lines;
  std::optional<Shard> shard;
  std::vector<std::string> merge;
  SchedulerOptions scheduler{.n_sequences = 16};
  std::string system;
  std::string chat_template = "raw";
  std::optional<bool> think;
  bool special = false;
  std::int64_t max_tokens = -1;
  std::vector<std::string> stop;
  bool ignore_eos = false;
};

// `options` must stay where it is until the command line is parsed.
void add_batch_options(Command& command, BatchCommandOptions& options);

// Throw UsageError for what cannot be, a file among it that would be written to and is needed or has
// something in it.
void check_run(const BatchCommandOptions& options);
void check_merge(const BatchCommandOptions& options);

}  // namespace bitnet::cli
