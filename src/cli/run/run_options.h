// The options of bitnet run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/generate.h"
#include "bitnet/types.h"
#include "cli/options/command.h"
#include "cli/options/model_options.h"
#include "cli/options/sampling_options.h"

namespace bitnet::cli {

struct RunOptions {
  ModelOptions model;
  std::optional<std::string> prompt;
  std::optional<std::string> prompt_file;
  std::optional<std::vector<TokenId>> ids;  // in place of a text
  bool escape = false;
  std::string system;
  std::string chat_template = "raw";
  std::optional<bool> think;
  bool special = false;
  bool echo = false;
  bool no_wrap = false;
  bool newline = false;
  std::int64_t max_tokens = -1;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  SamplingOptions sampling;
  bool json = false;
  bool jsonl = false;
  bool score = false;
  std::vector<std::string> choices;     // to score behind the prompt
  std::optional<std::size_t> logprobs;  // with so many alternatives
  std::optional<std::string> receipt;
  std::optional<DraftOptions> draft;  // none was asked for: auto
  std::optional<std::string> prompt_cache;

  // Adds the options; this object must stay where it is until the command line is parsed.
  void add_to(Command& command);
  // Has prompt, system message and stop strings mean what their escapes stand for, with -e. Throws
  // UsageError.
  void apply_escapes();
  // Throws UsageError for what the command line alone shows to be wrong, and RuntimeError when the receipt
  // could not be written: before anything is loaded or generated.
  void check() const;
  // A given text is scored in place of generating one.
  bool scores() const { return score || !choices.empty(); }
  // Of every token, for log-probabilities or the receipt's digest.
  bool wants_all_logits() const { return logprobs || receipt; }
  // The head that gives these tokens soonest.
  HeadKind head() const;
};

}  // namespace bitnet::cli
