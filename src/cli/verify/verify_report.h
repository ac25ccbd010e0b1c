// What `bitnet verify` prints of its report.
#pragma once

#include <string>

#include "diagnostics/verify.h"

namespace bitnet::cli {

// --json prints one object:
//   schema    "bitnet.verify"
//   version   1; it changes when a field changes its name or meaning, not when one is added
//   program, commit   that wrote it
//   model     "canary", or the file
//   cpu
//   backends  those of this build that this CPU can run; the first is the specification
//   passed    whether nothing differs
//   checks, failed   in number
//   results   one object for each row of the table: {backend, check, checks, failed, seconds}
//   failures  the first of each row: {backend, threads, chunk, where, what}; threads and chunk are 0 where a
//             kernel was compared by itself
//   prompts   of the canary's suite, as the first backend ran them: {prompt, chat, answer, f16_digest,
//             f32_digest, q8_digest}; the digests of the logits are hexadecimal and the same on every machine
//   steps     of the canary's passes over all prompts, as the first backend ran them: {step, digest}
std::string verify_json(const VerifyReport& report, const std::string& model);

// A line for each row, and one that says whether all passed.
std::string verify_table(const VerifyReport& report, const std::string& model);

// Which backend failed in what, and how.
std::string verify_failure_line(const VerifyFailure& failure);

}  // namespace bitnet::cli
