// The logits of two files for one prompt.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "bitnet/model.h"
#include "bitnet/types.h"
#include "diagnostics/logits_difference.h"

namespace bitnet::convert {

struct PromptRun {
  bool is_text = true;  // the prompt; else ids spread over the vocabulary, which can express no text
  std::vector<TokenId> ids;
  std::size_t vocab = 0;
  std::vector<float> logits;  // [ids, vocab]
  ActivationType activations = ActivationType::automatic;
};

// At most kLongestSample tokens of the prompt. Throws UsageError where there is none, RuntimeError when
// keep_going says no.
PromptRun run_prompt(const Model& model, const std::string& prompt, unsigned n_threads,
                     const std::function<bool()>& keep_going);
// The same tokens again, with another model.
PromptRun run_again(const Model& model, const PromptRun& run, unsigned n_threads,
                    const std::function<bool()>& keep_going);

struct RunComparison {
  bool is_text = true;
  std::size_t n_tokens = 0;
  bool is_identical = false;  // every bit of every logit
  std::size_t n_best = 0;     // that difference.same_best_set is of
  LogitsDifference difference{};
  ActivationType before = ActivationType::automatic;  // how activations were rounded
  ActivationType after = ActivationType::automatic;
};
// Of two runs of the same tokens and vocabularies.
RunComparison compare_runs(const PromptRun& before, const PromptRun& after);

}  // namespace bitnet::convert
