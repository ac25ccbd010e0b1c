// Whether a build became slower, told from speeds that were measured at two times on a machine which others
// use too.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/thread_times.h"
#include "diagnostics/machine_limits.h"

namespace bitnet {

// The repetitions of one test, and what is known of the machine during each.
struct SpeedSamples {
  struct Sample {
    double tokens_per_second = 0;        // by the clock
    std::optional<ThreadTimes> threads;  // what all threads together ran and waited
    MachineSpeed machine;                // before and after; 0: not known
  };
  std::vector<Sample> samples;
  std::size_t n_tokens = 0;  // of each repetition
  unsigned n_threads = 0;
  double bytes_per_token = 0;  // read from memory, where that takes a part of the time: of decode tests

  // Others kept the processors from the threads for more than a few per cent of the time.
  bool disturbed() const;
};

// Tokens per second as they would have been, had the machine given to every repetition what `usual` says: the
// time that reading takes by its speed of reading, the rest by that of multiplying. By the time that the
// processors ran instead of the clock's if so asked; threads that only wait then cost nothing.
std::vector<double> on_equal_machine(const SpeedSamples& samples, const MachineSpeed& usual,
                                     bool by_processor_time);

enum class SpeedVerdict { same, faster, slower, unclear };

struct SpeedComparison {
  double saved = 0;    // medians, by the clock
  double now = 0;      //
  double machine = 1;  // how much of the change is the machine's: now / saved = machine * ratio
  double ratio = 1;    // of now to saved on an equal machine
  bool by_processor_time = false;
  SpeedVerdict verdict = SpeedVerdict::unclear;
};

// Slower and faster mean by more than `tolerance`, a part of the saved speed. Unclear are samples that a rank
// test cannot tell to be on one side of that or the other. Neither is empty.
SpeedComparison compare_speed(const SpeedSamples& saved, const SpeedSamples& now, double tolerance);

// What is said of samples that stay unclear: the side on which their typical ratio lies.
SpeedVerdict likelier(const SpeedComparison& comparison, double tolerance);

}  // namespace bitnet
