#include "bitnet/chat.h"

#include <algorithm>
#include <array>
#include <utility>

#include "bitnet/error.h"
#include "tokenizer/recognise_template.h"

namespace bitnet {
namespace {

struct Named {
  ChatTemplate value;
  std::string_view name;
};

constexpr std::array<Named, 6> kTemplates = {{
    {ChatTemplate::raw, "raw"},
    {ChatTemplate::bitnet, "bitnet"},
    {ChatTemplate::llama3, "llama3"},
    {ChatTemplate::chatml, "chatml"},
    {ChatTemplate::falcon3, "falcon3"},
    {ChatTemplate::instruct, "instruct"},
}};

constexpr std::string_view kStartHeader = "<|start_header_id|>";
constexpr std::string_view kEndHeader = "<|end_header_id|>";
constexpr std::string_view kEndOfTurn = "<|eot_id|>";
constexpr std::string_view kImStart = "<|im_start|>";
constexpr std::string_view kImEnd = "<|im_end|>";
constexpr std::string_view kUserTag = "<|user|>";

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

// A template wants a control token that there is none of.
class NoSuchToken : public UsageError {
 public:
  using UsageError::UsageError;
};

// Puts a conversation together: runs of text, in which nothing is parsed, between control tokens.
class Script {
 public:
  explicit Script(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    if (tokenizer.adds_bos()) ids_.push_back(*tokenizer.bos());
  }

  Script& text(std::string_view text) {
    text_.append(text);
    return *this;
  }

  Script& control(std::string_view spelling) {
    const auto id = tokenizer_.find(spelling);
    if (!id) throw NoSuchToken("the vocabulary has no token " + std::string(spelling));
    return control(*id);
  }

  Script& control(TokenId id) {
    end_text();
    ids_.push_back(id);
    return *this;
  }

  // A token where the vocabulary has it, text where not.
  Script& tag(const std::string& spelling) {
    return tokenizer_.find(spelling) ? control(spelling) : text(spelling);
  }

  // The end of what the assistant said, where the file names one.
  Script& end_of_answer() { return tokenizer_.eos() ? control(*tokenizer_.eos()) : *this; }

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

// The roles' tags are no tokens in Falcon3's vocabulary; its end of text is, and follows every answer.
void write_falcon3(Script& script, std::span<const Message> messages) {
  const auto header = [&](Role role) {
    script.tag("<|" + std::string(lower_name(role)) + "|>").text("\n");
    if (role == Role::assistant) script.end_text();
  };
  for (const Message& message : messages) {
    header(message.role);
    script.text(trimmed(message.content));
    if (message.role == Role::assistant) script.end_of_answer();
    script.text("\n");
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

std::vector<TokenId> write(ChatTemplate t, const Tokenizer& tokenizer, std::span<const Message> messages) {
  Script script(tokenizer);
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
    case ChatTemplate::falcon3:
      write_falcon3(script, messages);
      break;
    case ChatTemplate::instruct:
      write_instruct(script, messages);
      break;
  }
  return script.finish();
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

std::string obstacle_to(ChatTemplate t, const Tokenizer& tokenizer) {
  const std::array<Message, 3> one_of_each{{{Role::system, ""}, {Role::user, ""}, {Role::assistant, ""}}};
  try {
    write(t, tokenizer, one_of_each);
  } catch (const NoSuchToken& e) {
    return e.what();
  } catch (const UsageError&) {  // no token for a byte of it
    return "the vocabulary cannot express the template's own text";
  }
  return {};
}

std::string usable_chat_templates(const Tokenizer& tokenizer) {
  std::string names;
  for (const Named& t : kTemplates) {
    if (t.value == ChatTemplate::raw || !obstacle_to(t.value, tokenizer).empty()) continue;
    if (!names.empty()) names += ", ";
    names += t.name;
  }
  return names;
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

std::vector<TokenId> encode_chat(ChatTemplate t, const Tokenizer& tokenizer,
                                 std::span<const Message> messages) {
  try {
    return write(t, tokenizer, messages);
  } catch (const UsageError&) {
    const std::string obstacle = obstacle_to(t, tokenizer);
    if (obstacle.empty()) throw;  // it is a message that has no tokens
    throw UsageError("chat template " + std::string(name_of(t)) + ": " + obstacle + "; choose another of " +
                     chat_template_names());
  }
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
    case ChatTemplate::falcon3:  // eos, one of the tokenizer's own; and in case the model plays all roles
      if (tokenizer.find(kUserTag)) {
        stop_at(kUserTag);
      } else {
        stops.strings.emplace_back("\n" + std::string(kUserTag));
      }
      break;
    case ChatTemplate::instruct:
      stops.strings.emplace_back("\nQ:");
      break;
  }
  return stops;
}

}  // namespace bitnet
