// Many requests, a line of JSON each, answered by one engine.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "bitnet/model.h"
#include "bitnet/scheduler.h"
#include "service/batch/line_reader.h"
#include "service/request/generation_request.h"

namespace bitnet::service {

// What a line has from an earlier run.
enum class Earlier { nothing, answer, error };

// A line of what comes out, an object:
//   schema, version   "bitnet.batch", 1
//   program, commit   that wrote it
//   line              its request's, counted from 1
//   id                the request's, if it has one: a text or a whole number
//   settings          16 hexadecimal digits of the options and the model's bytes
//   key               16 of these and the request: where they are the same, so is all that follows
//   text              what was generated
//   reason            why it ended, as in bitnet.run
//   n_prompt          tokens of the prompt
//   tokens            ids of what was generated, a final stop token included
//   logprobs          where the request wants them: for each of the tokens {logprob, top: [{id, piece, bytes,
//                     logprob}]}
// or in place of these, from text on:
//   error             {message}: why the request was not answered
// What comes out depends on the requests, the options and the model alone.
struct BatchOptions {
  GenerationRequest defaults{};       // of what a request doesn't say
  bool is_temperature_given = false;  // the defaults' is what somebody asked for
  bool unordered = false;             // records as they come, not in the order of the requests
  LineRange range{};
  std::string settings{};  // as records have them
  std::function<bool()> keep_going = [] { return true; };
  // Throws where the line's record is another request's.
  std::function<Earlier(std::size_t line, std::string_view key)> earlier{};
  std::function<void(std::string_view record)> write{};  // with its newline
  std::function<void()> on_pass{};
};

struct BatchCounts {
  std::size_t n_read = 0;     // lines with requests
  std::size_t n_done = 0;     // of them, that have a record, an earlier run's included
  std::size_t n_earlier = 0;  // of these, an earlier run's
  std::size_t n_failed = 0;   // of them, that are errors
  std::size_t n_sampled = 0;  // of this run's, that have a temperature
};

// Of all that decides an answer beside its request, and with a request too.
std::string batch_settings(std::string_view description);
std::string batch_key(std::string_view settings, std::string_view line);

// Until all lines are answered, or keep_going says no: what isn't finished then has no record. `counts` is
// kept up to date. Throws what the functions of `options` and the reader throw.
void run_batch(const Model& model, Scheduler& scheduler, LineReader& lines, const BatchOptions& options,
               BatchCounts& counts);

}  // namespace bitnet::service
