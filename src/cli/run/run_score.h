// bitnet run --score: how likely the model holds a text that is given, in place of generating one.
#pragma once

#include <span>
#include <string>

#include "bitnet/chat.h"
#include "bitnet/model.h"
#include "bitnet/session.h"
#include "cli/run/run_options.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

struct ScoreRun {
  const RunOptions& options;
  ChatForm form;
  const Model& model;
  Session& session;
  const std::string& prompt;
  std::span<const TokenId> prompt_ids;
};

// Scores the prompt and, each behind it, the choices; prints them as a table or as JSON. Throws UsageError
// where there is nothing to score.
ExitCode run_score(const ScoreRun& run);

}  // namespace bitnet::cli
