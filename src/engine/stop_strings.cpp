#include "engine/stop_strings.h"

#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

std::vector<TokenId> parse(const std::string& text, const Tokenizer& tokenizer) {
  try {
    return tokenizer.encode(text, {.parse_special = true});
  } catch (
      const UsageError&) {  // no token for some byte: the model cannot write it, which is not our concern
    return {};
  }
}

}  // namespace

std::vector<TokenId> control_tokens_of(const std::vector<std::string>& stops, const Tokenizer& tokenizer,
                                       bool show_special) {
  std::vector<TokenId> found;
  for (const std::string& stop : stops) {
    for (const TokenId id : parse(stop, tokenizer)) {
      const std::string_view spelling = tokenizer.bytes_of(id, /*with_special=*/true);
      // The unknown token is there for any character, too, that has no other.
      if (!tokenizer.is_hidden(id) || stop.find(spelling) == std::string::npos) continue;
      if (stop == spelling) {
        found.push_back(id);
      } else if (!show_special) {
        const std::string token = printable(spelling, kMaxPrintedName);
        throw UsageError("the stop string '" + printable(stop, kMaxPrintedName) +
                         "' holds the control token " + token +
                         " beside other text, and control tokens are not in the text; give " + token +
                         " alone, or have them shown (run --special)");
      }
    }
  }
  return found;
}

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  if (std::ranges::any_of(stops_, &std::string::empty)) {
    throw OptionError("", "stop_strings",
                      ": an empty string would stop before the first character; give at least one character");
  }
}

bool StopStrings::push(std::string_view text, std::string& out) {
  if (found_) return true;
  held_.append(text);
  return scan(false, out);
}

bool StopStrings::flush(std::string& out) {
  const bool found = found_ || scan(true, out);
  held_.clear();
  found_ = false;
  return found;
}

// Decides each place in turn whether a stop string begins there, up to the first where that is still open.
bool StopStrings::scan(bool text_is_over, std::string& out) {
  const std::string_view text = held_;
  std::size_t start = 0;
  for (; start < text.size(); ++start) {
    const std::string_view rest = text.substr(start);
    found_ = std::ranges::any_of(stops_, [rest](const std::string& s) { return rest.starts_with(s); });
    if (found_) break;
    const bool open = !text_is_over && std::ranges::any_of(stops_, [rest](const std::string& s) {
      return std::string_view(s).starts_with(rest);
    });
    if (open) break;
  }
  out.append(text.substr(0, start));
  held_.erase(0, start);
  return found_;
}

}  // namespace bitnet
