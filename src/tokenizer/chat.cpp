#include "bitnet/chat.h"

#include <algorithm>
#include <array>
#include <utility>

#include "bitnet/error.h"

namespace bitnet {
namespace {

struct Named {
  ChatTemplate value;
  std::string_view name;
};

constexpr std::array<Named, 5> kTemplates = {{
    {ChatTemplate::raw, "raw"},
    {ChatTemplate::bitnet, "bitnet"},
    {ChatTemplate::llama3, "llama3"},
    {ChatTemplate::chatml, "chatml"},
    {ChatTemplate::instruct, "instruct"},
}};

constexpr std::string_view kStartHeader = "<|start_header_id|>";
constexpr std::string_view kEndHeader = "<|end_header_id|>";
constexpr std::string_view kEndOfTurn = "<|eot_id|>";
constexpr std::string_view kImStart = "<|im_start|>";
constexpr std::string_view kImEnd = "<|im_end|>";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";
  const std::size_t first = text.find_first_not_of(kWhiteSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

std::string_view lower_name(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
  }
  return "user";
}

// Puts a conversation together: runs of text, in which nothing is parsed, between control tokens.
class Script {
 public:
  Script(ChatTemplate kind, const Tokenizer& tokenizer) : kind_(kind), tokenizer_(tokenizer) {
    if (tokenizer.adds_bos()) ids_.push_back(*tokenizer.bos());
  }

  Script& text(std::string_view text) {
    text_.append(text);
    return *this;
  }

  Script& control(std::string_view spelling) {
    const auto id = tokenizer_.find(spelling);
    if (!id) {
      throw UsageError("chat template " + std::string(name_of(kind_)) + ": the vocabulary has no token " +
                       std::string(spelling) + "; choose another of " + chat_template_names());
    }
    end_text();
    ids_.push_back(*id);
    return *this;
  }

  // What comes next is encoded apart from what came before. Between the assistant's header and its words this
  // makes a finished answer the same tokens in the history as it was when it was generated.
  Script& end_text() {
    if (text_.empty()) return *this;
    const std::vector<TokenId> ids = tokenizer_.encode(text_);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    text_.clear();
    return *this;
  }

  std::vector<TokenId> finish() {
    end_text();
    return std::move(ids_);
  }

 private:
  ChatTemplate kind_;
  const Tokenizer& tokenizer_;
  std::vector<TokenId> ids_;
  std::string text_;
};

void write_raw(Script& script, std::span<const Message> messages) {
  for (const Message& message : messages) script.text(message.content);
}

void write_bitnet(Script& script, std::span<const Message> messages) {
  for (const Message& message : messages) {
    switch (message.role) {
      case Role::system:
        script.text("System: ");
        break;
      case Role::user:
        script.text("User: ");
        break;
      case Role::assistant:
        script.text("Assistant: ").end_text();
        break;
    }
    script.text(trimmed(message.content)).control(kEndOfTurn);
  }
  script.text("Assistant: ");
}

void write_llama3(Script& script, std::span<const Message> messages) {
  const auto header = [&](Role role) {
    script.control(kStartHeader).text(lower_name(role)).control(kEndHeader).text("\n\n");
    if (role == Role::assistant) script.end_text();
  };
  for (const Message& message : messages) {
    header(message.role);
    script.text(trimmed(message.content)).control(kEndOfTurn);
  }
  header(Role::assistant);
}

void write_chatml(Script& script, std::span<const Message> messages) {
  const auto header = [&](Role role) {
    script.control(kImStart).text(lower_name(role)).text("\n");
    if (role == Role::assistant) script.end_text();
  };
  for (const Message& message : messages) {
    header(message.role);
    script.text(trimmed(message.content)).control(kImEnd).text("\n");
  }
  header(Role::assistant);
}

void write_instruct(Script& script, std::span<const Message> messages) {
  for (const Message& message : messages) {
    const std::string_view content = trimmed(message.content);
    switch (message.role) {
      case Role::system:
        script.text(content).text("\n\n");
        break;
      case Role::user:
        script.text("Q: ").text(content).text("\n");
        break;
      case Role::assistant:
        script.text("A: ").text(content).text("\n");
        break;
    }
  }
  script.text("A:");
}

bool has_control(const Tokenizer& tokenizer, std::string_view spelling) {
  const auto id = tokenizer.find(spelling);
  return id && tokenizer.is_control(*id);
}

// The parts by which a Jinja text gives itself away.
std::optional<ChatTemplate> recognise(std::string_view jinja) {
  const auto has = [&](std::string_view part) { return jinja.find(part) != std::string_view::npos; };
  if (has(kStartHeader)) return ChatTemplate::llama3;
  if (has(kImStart)) return ChatTemplate::chatml;
  // The text that the published 2B-4T file carries is an old one; the model was trained on the bitnet
  // template.
  if (has("BITNETAssistant")) return ChatTemplate::bitnet;
  if (has("capitalize") && has(kEndOfTurn) && has("Assistant: ")) return ChatTemplate::bitnet;
  return std::nullopt;
}

}  // namespace

std::string_view name_of(ChatTemplate t) {
  const auto* const found = std::ranges::find(kTemplates, t, &Named::value);
  return found == kTemplates.end() ? "unknown" : found->name;
}

std::optional<ChatTemplate> find_chat_template(std::string_view name) {
  const auto* const found = std::ranges::find(kTemplates, name, &Named::name);
  if (found == kTemplates.end()) return std::nullopt;
  return found->value;
}

std::string chat_template_names() {
  std::string names;
  for (const Named& t : kTemplates) {
    if (!names.empty()) names += ", ";
    names += t.name;
  }
  return names;
}

std::optional<ChatTemplate> choose_chat_template(const ChatHints& hints, const Tokenizer& tokenizer) {
  if (!hints.chat_template.empty()) return recognise(hints.chat_template);
  const bool bitnet = hints.architecture == "bitnet-b1.58" || hints.architecture == "bitnet-25";
  if (bitnet && tokenizer.find(kEndOfTurn)) return ChatTemplate::bitnet;
  if (has_control(tokenizer, kStartHeader)) return ChatTemplate::llama3;
  if (has_control(tokenizer, kImStart)) return ChatTemplate::chatml;
  return ChatTemplate::instruct;
}

std::vector<TokenId> encode_chat(ChatTemplate t, const Tokenizer& tokenizer,
                                 std::span<const Message> messages) {
  Script script(t, tokenizer);
  switch (t) {
    case ChatTemplate::raw:
      write_raw(script, messages);
      break;
    case ChatTemplate::bitnet:
      write_bitnet(script, messages);
      break;
    case ChatTemplate::llama3:
      write_llama3(script, messages);
      break;
    case ChatTemplate::chatml:
      write_chatml(script, messages);
      break;
    case ChatTemplate::instruct:
      write_instruct(script, messages);
      break;
  }
  return script.finish();
}

ChatStops stops_of(ChatTemplate t, const Tokenizer& tokenizer) {
  ChatStops stops;
  const auto stop_at = [&](std::string_view spelling) {
    if (const auto id = tokenizer.find(spelling)) stops.tokens.push_back(*id);
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
    case ChatTemplate::instruct:
      stops.strings.emplace_back("\nQ:");
      break;
  }
  return stops;
}

}  // namespace bitnet
