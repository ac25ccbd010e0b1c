// --template: the form in which a model wants a conversation.
#pragma once

#include <string>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/model.h"
#include "cli/options/command.h"

namespace bitnet::cli {

// Adds --template, `name` being its default: raw for a prompt that is taken as it stands, auto for a
// conversation, which raw is no template for. A name that there is not is refused when the command line is
// read.
Option* add_template(Command& command, std::string& name);

// The template named, or the model's own for "auto". Throws UsageError if that is none of ours or the
// vocabulary lacks what it needs, ModelError if the model takes no text.
ChatTemplate find_template(const std::string& name, const Model& model);

// The tokens of a prompt: as it stands with raw, where control tokens may be `special`, otherwise as the
// user's turn after the system message, if there is one. Throws UsageError, and ModelError if the model takes
// no text.
std::vector<TokenId> encode_prompt(ChatTemplate chat_template, const Model& model, const std::string& prompt,
                                   const std::string& system, bool special);

}  // namespace bitnet::cli
