// What bitnet run prints on stdout: the text, or JSON.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bitnet/chat.h"
#include "bitnet/generate.h"
#include "bitnet/model.h"

namespace bitnet::cli {

class RunOutput {
 public:
  RunOutput() = default;
  RunOutput(const RunOutput&) = delete;
  RunOutput& operator=(const RunOutput&) = delete;
  virtual ~RunOutput() = default;

  // Text as it becomes certain; false: the run is to end.
  virtual bool add_text(std::string_view text) = 0;
  // Each token, after its text.
  virtual void add_token(const TokenStep& token) = 0;
  virtual void finish(const GenerateResult& result) = 0;
};

// Text as it comes and nothing else. `echo` goes out with the first of it: by then nothing can be refused any
// more. `wraps`: on a terminal, lines are broken between words. `newline`: the text ends its line, wherever
// it goes. `thinking`: how it begins, for a terminal.
std::unique_ptr<RunOutput> make_text_output(std::string echo, bool wraps, bool newline, Thinking thinking);

struct RunPrompt {
  std::optional<std::string_view> text;  // none was given: the ids were
  std::span<const TokenId> ids;
};

enum class JsonForm { object, lines };

// `options`: those of the run, as its records have them. `logprobs`: log-probabilities, with so many
// alternatives; TokenStep::logits must be there. Throws UsageError when there are not so many tokens. Model
// and prompt must outlive it.
std::unique_ptr<RunOutput> make_json_output(JsonForm form, const Model& model, const RunPrompt& prompt,
                                            nlohmann::ordered_json options,
                                            std::optional<std::size_t> logprobs);

}  // namespace bitnet::cli
