// What ends a text that is generated, token by token.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bitnet/generate.h"
#include "bitnet/tokenizer.h"
#include "engine/text_stream.h"

namespace bitnet {

class TextEnding {
 public:
  // As in GenerateOptions. The tokenizer, the stop tokens and the sink must outlive it. Throws UsageError for
  // stop strings that cannot be.
  TextEnding(const Tokenizer& tokenizer, std::span<const TokenId> stop_tokens,
             const std::vector<std::string>& stop_strings, bool show_special, const TextSink& sink)
      : stop_tokens_(stop_tokens),
        control_stops_(control_tokens_of(stop_strings, tokenizer, show_special)),
        text_(tokenizer, show_special, stop_strings, sink) {}

  // Passes on what becomes certain with the token. The reason to stop after it, if there is one: its own,
  // that of the text, or that it is the last that was asked for or that the context holds.
  std::optional<StopReason> after(TokenId id, bool is_last_asked_for, bool is_context_full);
  // At the end, for whatever reason: passes on what was held back, and gives the reason that counts then.
  StopReason finish(StopReason reason);

 private:
  std::span<const TokenId> stop_tokens_;
  std::vector<TokenId> control_stops_;  // that stop strings stand for
  TextStream text_;
};

}  // namespace bitnet
