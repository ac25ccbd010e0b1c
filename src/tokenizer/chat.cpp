#include "bitnet/chat.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/joined.h"
#include "bitnet/error.h"
#include "tokenizer/chat_script.h"
#include "tokenizer/recognise_template.h"
#include "tokenizer/recognise_thinking.h"

namespace bitnet {
namespace {

struct NamedTemplate {
  ChatTemplate value;
  std::string_view name;
};

constexpr std::array<NamedTemplate, 7> kTemplates = {{
    {ChatTemplate::raw, "raw"},
    {ChatTemplate::bitnet, "bitnet"},
    {ChatTemplate::llama3, "llama3"},
    {ChatTemplate::chatml, "chatml"},
    {ChatTemplate::falcon3, "falcon3"},
    {ChatTemplate::minicpm, "minicpm"},
    {ChatTemplate::instruct, "instruct"},
}};

bool has_control(const Tokenizer& tokenizer, std::string_view spelling) {
  const auto id = tokenizer.find(spelling);
  return id && tokenizer.is_control(*id);
}

}  // namespace

std::string_view name_of(ChatTemplate t) {
  const auto* const found = std::ranges::find(kTemplates, t, &NamedTemplate::value);
  return found == kTemplates.end() ? "unknown" : found->name;
}

std::optional<ChatTemplate> find_chat_template(std::string_view name) {
  const auto* const found = std::ranges::find(kTemplates, name, &NamedTemplate::name);
  if (found == kTemplates.end()) return std::nullopt;
  return found->value;
}

std::string chat_template_names() { return joined(kTemplates, &NamedTemplate::name); }

std::string obstacle_to(ChatTemplate t, const Tokenizer& tokenizer) {
  const std::array<Message, 3> one_of_each{{{Role::system, ""}, {Role::user, ""}, {Role::assistant, ""}}};
  try {
    write_chat(t, tokenizer, one_of_each);
  } catch (const NoSuchToken& e) {
    return e.what();
  } catch (const UsageError&) {  // no token for a byte of it
    return "the vocabulary cannot express the template's own text";
  }
  return {};
}

std::string usable_chat_templates(const Tokenizer& tokenizer) {
  const auto is_usable = [&](const NamedTemplate& t) {
    return t.value != ChatTemplate::raw && obstacle_to(t.value, tokenizer).empty();
  };
  std::vector<NamedTemplate> usable;
  std::ranges::copy_if(kTemplates, std::back_inserter(usable), is_usable);
  return joined(usable, &NamedTemplate::name);
}

ChatChoice choose_chat_template(const ChatHints& hints, const Tokenizer& tokenizer) {
  const auto choose = [&](ChatTemplate t) -> ChatChoice {
    const std::string obstacle = obstacle_to(t, tokenizer);
    if (obstacle.empty()) return {t, {}};
    return {std::nullopt, "its chat template is " + std::string(name_of(t)) + ", but " + obstacle};
  };
  if (!hints.chat_template.empty()) {
    const auto recognised = recognise_template(hints.chat_template);
    if (recognised) return choose(*recognised);
    return {std::nullopt, "its chat template is none that this program knows"};
  }
  const auto fits = [&](ChatTemplate t) { return obstacle_to(t, tokenizer).empty(); };
  const bool bitnet = hints.architecture == "bitnet-b1.58" || hints.architecture == "bitnet-25";
  if (bitnet && fits(ChatTemplate::bitnet)) return {ChatTemplate::bitnet, {}};
  if (has_control(tokenizer, kStartHeader) && fits(ChatTemplate::llama3)) return {ChatTemplate::llama3, {}};
  if (has_control(tokenizer, kImStart) && fits(ChatTemplate::chatml)) return {ChatTemplate::chatml, {}};
  return choose(ChatTemplate::instruct);
}

ThinkingForms thinking_forms(ChatTemplate t, const ChatHints& hints, const Tokenizer& tokenizer) {
  if (t != ChatTemplate::chatml) return {};
  // Thinking is told from the answer by its text, so its tokens must have one.
  const auto is_seen = [&](std::string_view spelling) {
    const auto id = tokenizer.find(spelling);
    return !id || !tokenizer.is_hidden(*id);
  };
  const bool are_seen = is_seen(kThink) && is_seen(kEndThink);
  if (recognise_template(hints.chat_template) == t) {
    const ThinkingForms forms = recognise_thinking(hints.chat_template);
    if (are_seen || forms.unasked == Thinking::none) return forms;
    return {.is_other = true};
  }
  if (!are_seen) return {};
  if (!tokenizer.find(kThink) || !tokenizer.find(kEndThink)) return {};
  return {.unasked = Thinking::free, .on = Thinking::free, .off = Thinking::skipped};
}

std::vector<TokenId> encode_chat(ChatForm form, const Tokenizer& tokenizer,
                                 std::span<const Message> messages) {
  try {
    return write_chat(form, tokenizer, messages);
  } catch (const UsageError&) {
    const std::string obstacle = obstacle_to(form.chat_template, tokenizer);
    if (obstacle.empty()) throw;  // it is a message that has no tokens
    throw UsageError("chat template " + std::string(name_of(form.chat_template)) + ": " + obstacle +
                     "; choose another of " + chat_template_names());
  }
}

ChatStops stops_of(ChatTemplate t, const Tokenizer& tokenizer) {
  ChatStops stops;
  const auto stop_at = [&](std::string_view spelling) {
    if (const auto id = tokenizer.find(spelling)) stops.tokens.push_back(*id);
  };
  // In case the model plays all roles.
  const auto stop_at_tag = [&](std::string_view tag, std::string_view before) {
    if (tokenizer.find(tag)) {
      stop_at(tag);
    } else {
      stops.strings.push_back(std::string(before) + std::string(tag));
    }
  };
  switch (t) {
    case ChatTemplate::raw:
      break;
    case ChatTemplate::bitnet:
    case ChatTemplate::llama3:
      stop_at(kEndOfTurn);
      break;
    case ChatTemplate::chatml:
      stop_at(kImEnd);
      break;
    case ChatTemplate::falcon3:  // eos, one of the tokenizer's own, ends the answer
      stop_at_tag(kFalcon3User, "\n");
      break;
    case ChatTemplate::minicpm:  // here too
      stop_at_tag(kMiniCpmUser, "");
      break;
    case ChatTemplate::instruct:
      stops.strings.emplace_back("\nQ:");
      break;
  }
  return stops;
}

}  // namespace bitnet
