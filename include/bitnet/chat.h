// Chat templates by name, and the choice among them from what a model file says.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/export.h"
#include "bitnet/tokenizer.h"
#include "bitnet/types.h"

namespace BITNET_API bitnet {

enum class ChatTemplate { raw, bitnet, llama3, chatml, falcon3, minicpm, instruct };

// How an answer begins where a model may think first, between <think> and </think>. Thinking is no part of
// what was said: it is left out of the answers that a conversation holds when these are encoded.
enum class Thinking {
  none,     // the template knows nothing of it
  free,     // nothing is put before the answer: a model that was trained to think does
  begun,    // "<think>" and a line break are
  skipped,  // "<think>", "</think>" and empty lines are: it answers at once
};

// A template, and how answers begin in it.
struct ChatForm {
  ChatForm(ChatTemplate t, Thinking how = Thinking::none) : chat_template(t), thinking(how) {}
  ChatTemplate chat_template;
  Thinking thinking;  // chatml's alone; the other templates' is none
};

enum class Role { system, user, assistant };

struct Message {
  Role role;
  std::string content;
};

BITNET_API std::string_view name_of(ChatTemplate t);
BITNET_API std::optional<ChatTemplate> find_chat_template(std::string_view name);
// "raw, bitnet, llama3, chatml, falcon3, minicpm, instruct", for messages.
BITNET_API std::string chat_template_names();

// What a model file says that bears on the choice.
struct ChatHints {
  std::string_view architecture;   // general.architecture
  std::string_view chat_template;  // tokenizer.chat_template, a Jinja text; empty if the file has none
};

// Why a template cannot be used with a vocabulary: it lacks a control token, or what the template's own text
// needs. Empty: it can be used.
BITNET_API std::string obstacle_to(ChatTemplate t, const Tokenizer& tokenizer);
// Those without an obstacle, but for raw, which wraps nothing: "llama3, instruct"; may be empty.
BITNET_API std::string usable_chat_templates(const Tokenizer& tokenizer);

struct ChatChoice {
  std::optional<ChatTemplate> chosen;  // has no obstacle
  std::string obstacle;                // why none is chosen, as half a sentence; empty otherwise
};

// The template a file wants, the published 2B-4T file's obsolete text included. None is chosen if the file
// has one of its own that is none of ours or that the vocabulary cannot be used with: guessing would be worse
// than asking.
BITNET_API ChatChoice choose_chat_template(const ChatHints& hints, const Tokenizer& tokenizer);

// What a model's template does when it is asked to have the model think, or not to.
struct ThinkingForms {
  Thinking unasked = Thinking::none;
  std::optional<Thinking> on{};   // nullopt: it cannot be asked for
  std::optional<Thinking> off{};  // nullopt: it cannot be turned off
  bool is_other = false;          // it knows thinking in a way that is none of Thinking's: unasked is none
};
// By the file's own text where that is the template `t`; where it isn't, or there is none, as Qwen3 has it if
// the vocabulary has <think> and </think>. None for a template that knows no thinking, and where the file's
// text asks for it in a way that is none of those above.
BITNET_API ThinkingForms thinking_forms(ChatTemplate t, const ChatHints& hints, const Tokenizer& tokenizer);

// The token ids of a conversation, ready for the assistant's answer. Control tokens stand only where the
// template puts them; the content of a message is never parsed for them. Content is trimmed (raw: left as it
// is). BOS comes once, if the file wants it. Under the templates with control tokens, and without thinking,
// the tokens of a conversation are a prefix of those of any longer one that adds an answer to it. Throws
// UsageError if there is an obstacle to the template.
BITNET_API std::vector<TokenId> encode_chat(ChatForm form, const Tokenizer& tokenizer,
                                            std::span<const Message> messages);

// What an answer says once it has thought: what stands behind its last </think>, and nothing where its
// thinking never ended.
BITNET_API std::string_view without_thinking(std::string_view answer);

// What ends an answer under a template, beside the tokenizer's own end tokens.
struct ChatStops {
  std::vector<TokenId> tokens;
  std::vector<std::string> strings;
};
BITNET_API ChatStops stops_of(ChatTemplate t, const Tokenizer& tokenizer);

}  // namespace bitnet
