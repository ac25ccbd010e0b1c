// How far a prompt has been run, while nothing else can be seen yet.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "cli/terminal/progress_line.h"

namespace bitnet::cli {

// Shown where a ProgressLine is, from half a second on; gone when the last of the tokens is run.
class PromptProgress {
 public:
  explicit PromptProgress(bool quiet) : line_(std::in_place, quiet) {}

  // For GenerateOptions::on_prompt.
  void update(double n_done, std::size_t n_tokens);

 private:
  using Clock = std::chrono::steady_clock;
  std::optional<ProgressLine> line_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_draw_ = start_ + std::chrono::milliseconds(500);
};

}  // namespace bitnet::cli
