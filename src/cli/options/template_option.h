// --template and --think: the form in which a model wants a conversation.
#pragma once

#include <optional>
#include <string>
#include <string_view>

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

// As in service/request/chat_form.h, with messages that name the model's file; tells what was chosen.
ChatForm find_form(const std::string& name, std::optional<bool> think, const Model& model);
Thinking find_thinking(ChatTemplate t, std::optional<bool> think, const Model& model);

// "on", "off", or nothing where a template knows no thinking.
std::string_view think_name(Thinking thinking);

}  // namespace bitnet::cli
