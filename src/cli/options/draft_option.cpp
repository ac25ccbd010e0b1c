#include "cli/options/draft_option.h"

#include <spdlog/fmt/fmt.h>

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/number_option.h"
#include "cli/terminal/log.h"

namespace bitnet::cli {

const char* const kDraftHelp = "Tokens guessed from the text so far: auto, off or N";

Option* add_draft(Command& command, std::optional<DraftOptions>& draft) {
  Option* option = command.add_option(
      "--draft",
      [&draft](const std::string& text, const std::string& source) { draft = parse_draft(text, source); },
      kDraftHelp);
  option->type_name("N")->default_str("auto")->group("Machine");
  return option;
}

DraftOptions parse_draft(std::string_view text, const std::string& source) {
  if (text == "auto") return {};
  if (text == "off") return {.max_tokens = 0};
  const auto refuse = [&] {
    throw UsageError(source + " '" + printable(text, kMaxPrintedName) +
                     "': give auto, off or a number from 1 to " + std::to_string(DraftOptions::kMostTokens));
  };
  DraftOptions draft{.adaptive = false};
  try {
    draft.max_tokens = parse_number<std::size_t>(text, source);
  } catch (const UsageError&) {
    refuse();
  }
  if (draft.max_tokens == 0 || draft.max_tokens > DraftOptions::kMostTokens) refuse();
  return draft;
}

void log_drafts(const GenerateResult& result) {
  const DraftCounts& d = result.draft;
  if (d.n_drafted == 0) return;
  log_debug("drafts: {} of {} guesses right; {} passes for {} tokens, {:.2f} a pass", d.n_accepted,
            d.n_drafted, d.n_passes, result.n_decode_steps,
            static_cast<double>(result.n_decode_steps) / static_cast<double>(d.n_passes));
}

}  // namespace bitnet::cli
