#include "cli/chat/chat_settings.h"

#include <spdlog/fmt/fmt.h>

#include "base/joined.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/number_option.h"

namespace bitnet::cli {
namespace {

// Calls visit(name, value, what it means) for each.
template <typename Settings, typename Visit>
void for_each(Settings& s, Visit visit) {
  visit("temp", s.sampler.temperature, "temperature; 0: the likeliest token every time");
  visit("top-k", s.sampler.top_k, "only the K likeliest tokens; 0: all");
  visit("top-p", s.sampler.top_p, "only the likeliest that make up P; 1: all");
  visit("min-p", s.sampler.min_p, "drops tokens under P times the best; 0: none");
  visit("repeat-penalty", s.sampler.repeat_penalty, "on the last 64 tokens; 1: off");
  visit("seed", s.sampler.seed, "same seed, same text");
  visit("max-tokens", s.max_tokens, "of an answer at most; -1: until it ends");
}

std::string setting_of(std::string_view name) {
  std::string own(name);
  for (char& c : own) {
    if (c == '_') c = '-';
  }
  if (own == "temperature") return "temp";
  if (own == "n") return "max-tokens";
  return own;
}

}  // namespace

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  ChatSettings any;
  for_each(any, [&](const char* name, const auto&, const char*) { names.emplace_back(name); });
  return names;
}

std::vector<std::string> describe(const ChatSettings& settings) {
  std::vector<std::string> lines;
  for_each(settings, [&](const char* name, const auto& value, const char* what) {
    lines.push_back(fmt::format("{:<15} {:<6} {}", name, digits_of(value), what));
  });
  return lines;
}

void change(ChatSettings& settings, std::string_view name, std::string_view value) {
  ChatSettings changed = settings;
  const std::string wanted = setting_of(name);
  bool is_known = false;
  for_each(changed, [&](const std::string& known, auto& number, const char*) {
    if (known != wanted) return;
    is_known = true;
    number = parse_number<std::remove_reference_t<decltype(number)>>(value, known);
  });
  if (!is_known) {
    throw UsageError("there is nothing called '" + printable(name, kMaxPrintedName) +
                     "' to set; choose from " + joined(setting_names()));
  }
  if (changed.max_tokens == 0 || changed.max_tokens < -1) {
    throw UsageError("max-tokens: give a count, or -1 to go on until an answer ends");
  }
  settings = changed;
}

}  // namespace bitnet::cli
