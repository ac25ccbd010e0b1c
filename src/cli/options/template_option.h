// --template and --think: the form in which a model wants a conversation.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/model.h"
#include "cli/options/command.h"

namespace bitnet::cli {

// Adds --template, `name` being its default: raw for a prompt that is taken as it stands, auto for a
// conversation, which raw is no template for. A name that there is not is refused when the command line is
// read.
Option* add_template(Command& command, std::string& name);

// Adds --think; nullopt: as the model's template has it.
Option* add_think(Command& command, std::optional<bool>& think);

// "on" or "off", as --think takes them. Throws UsageError that names `source`.
bool parse_think(std::string_view text, const std::string& source);

// The template named, or the model's own for "auto", and how answers begin in it. Throws UsageError if the
// template is none of ours, the vocabulary lacks what it needs or it has no thinking to turn on or off,
// ModelError if the model takes no text.
ChatForm find_form(const std::string& name, std::optional<bool> think, const Model& model);
// How answers begin where thinking was asked for or not. Throws UsageError as above.
Thinking find_thinking(ChatTemplate t, std::optional<bool> think, const Model& model);

// "on", "off", or nothing where a template knows no thinking.
std::string_view think_name(Thinking thinking);

// The tokens of a prompt: as it stands with raw, where control tokens may be `special`, otherwise as the
// user's turn after the system message, if there is one. Throws UsageError, and ModelError if the model takes
// no text.
std::vector<TokenId> encode_prompt(ChatForm form, const Model& model, const std::string& prompt,
                                   const std::string& system, bool special);

}  // namespace bitnet::cli
