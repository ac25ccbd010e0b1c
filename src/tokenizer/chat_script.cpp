#include "tokenizer/chat_script.h"

#include <string>
#include <utility>

namespace bitnet {
namespace {

constexpr std::string_view kEndHeader = "<|end_header_id|>";
constexpr std::string_view kMiniCpmAssistant = "<AI>";

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
    continues_ = false;
    return *this;
  }

  // A token where the vocabulary has it, text where not.
  Script& tag(std::string_view spelling) {
    return tokenizer_.find(spelling) ? control(spelling) : text(spelling);
  }

  // The end of what the assistant said, where the file names one.
  Script& end_of_answer() { return tokenizer_.eos() ? control(*tokenizer_.eos()) : *this; }

  // What comes next is encoded apart from what came before. Between the assistant's header and its words this
  // makes a finished answer the same tokens in the history as it was when it was generated.
  Script& end_text() {
    if (text_.empty()) return *this;
    const std::vector<TokenId> ids = tokenizer_.encode(text_, {.continues_text = continues_});
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    text_.clear();
    continues_ = true;
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
  bool continues_ = false;  // what comes next follows other text, and no control token
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

void write_thinking(Script& script, Thinking thinking) {
  switch (thinking) {
    case Thinking::none:
    case Thinking::free:
      break;
    case Thinking::begun:
      script.tag(kThink).text("\n");
      break;
    case Thinking::skipped:
      script.tag(kThink).text("\n\n").tag(kEndThink).text("\n\n");
      break;
  }
}

void write_chatml(Script& script, std::span<const Message> messages, Thinking thinking) {
  const auto header = [&](Role role) {
    script.control(kImStart).text(lower_name(role)).text("\n");
    if (role == Role::assistant) script.end_text();
  };
  for (const Message& message : messages) {
    header(message.role);
    const bool thought = message.role == Role::assistant && thinking != Thinking::none;
    const std::string_view content = thought ? without_thinking(message.content) : message.content;
    script.text(trimmed(content)).control(kImEnd).text("\n");
  }
  header(Role::assistant);
  write_thinking(script, thinking);
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

// OpenBMB's first one, in which no role but the user's has a tag and no answer an end. Their later models
// speak chatml.
void write_minicpm(Script& script, std::span<const Message> messages) {
  bool is_due = true;  // the assistant's tag, which is the end of the user's turn
  for (const Message& message : messages) {
    if (message.role == Role::user) script.tag(kMiniCpmUser);
    script.text(trimmed(message.content));
    is_due = message.role != Role::user;
    if (!is_due) script.tag(kMiniCpmAssistant).end_text();
  }
  if (is_due) script.tag(kMiniCpmAssistant).end_text();
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

}  // namespace

std::vector<TokenId> write_chat(ChatForm form, const Tokenizer& tokenizer,
                                std::span<const Message> messages) {
  Script script(tokenizer);
  switch (form.chat_template) {
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
      write_chatml(script, messages, form.thinking);
      break;
    case ChatTemplate::falcon3:
      write_falcon3(script, messages);
      break;
    case ChatTemplate::minicpm:
      write_minicpm(script, messages);
      break;
    case ChatTemplate::instruct:
      write_instruct(script, messages);
      break;
  }
  return script.finish();
}

std::string_view without_thinking(std::string_view answer) {
  const std::size_t end = answer.rfind(kEndThink);
  if (end != std::string_view::npos) return answer.substr(end + kEndThink.size());
  return trimmed(answer).starts_with(kThink) ? std::string_view() : answer;
}

}  // namespace bitnet
