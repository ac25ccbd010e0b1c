// What ends the text of bitnet run.
#pragma once

#include <string>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/generate.h"
#include "bitnet/tokenizer.h"

namespace bitnet::cli {

// The stop strings that were asked for, the template's, and the model's own end unless that is ignored.
void set_stops(const std::vector<std::string>& asked_for, bool ignore_eos, ChatTemplate chat_template,
               const Tokenizer& tokenizer, GenerateOptions& generation);

}  // namespace bitnet::cli
