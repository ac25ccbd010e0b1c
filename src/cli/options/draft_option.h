// --draft: how many tokens are guessed and run ahead.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bitnet/generate.h"
#include "cli/options/command.h"

namespace bitnet::cli {

extern const char* const kDraftHelp;

// Adds --draft; nullopt: it wasn't given, which is auto.
Option* add_draft(Command& command, std::optional<DraftOptions>& draft);

// "auto", "off" or a number of tokens. Throws UsageError that names `source`.
DraftOptions parse_draft(std::string_view text, const std::string& source);

// What drafts did, for -v.
void log_drafts(const GenerateResult& result);

}  // namespace bitnet::cli
