#include "cli/run/run_stops.h"

namespace bitnet::cli {

void set_stops(const std::vector<std::string>& asked_for, bool ignore_eos, ChatTemplate chat_template,
               const Tokenizer& tokenizer, GenerateOptions& generation) {
  ChatStops stops = stops_of(chat_template, tokenizer);
  generation.stop_strings = asked_for;
  generation.stop_strings.insert(generation.stop_strings.end(), stops.strings.begin(), stops.strings.end());
  if (ignore_eos) return;
  generation.stop_tokens.assign(tokenizer.end_tokens().begin(), tokenizer.end_tokens().end());
  generation.stop_tokens.insert(generation.stop_tokens.end(), stops.tokens.begin(), stops.tokens.end());
}

}  // namespace bitnet::cli
