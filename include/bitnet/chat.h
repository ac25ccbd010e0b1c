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

enum class ChatTemplate { raw, bitnet, llama3, chatml, instruct };

enum class Role { system, user, assistant };

struct Message {
  Role role;
  std::string content;
};

std::string_view name_of(ChatTemplate t);
std::optional<ChatTemplate> find_chat_template(std::string_view name);
// "raw, bitnet, llama3, chatml, instruct", for messages.
std::string chat_template_names();

// What a model file says that bears on the choice.
struct ChatHints {
  std::string_view architecture;   // general.architecture
  std::string_view chat_template;  // tokenizer.chat_template, a Jinja text; empty if the file has none
};

// The template a file wants, the published 2B-4T file's obsolete text included. Nullopt: it has a template of
// its own that is none of ours, and guessing would be worse than asking.
std::optional<ChatTemplate> choose_chat_template(const ChatHints& hints, const Tokenizer& tokenizer);

// The token ids of a conversation, ready for the assistant's answer. Control tokens stand only where the
// template puts them; the content of a message is never parsed for them. Content is trimmed (raw: left as it
// is). BOS comes once, if the file wants it. Under the templates with control tokens, the tokens of a
// conversation are a prefix of those of any longer one that adds an answer to it. Throws UsageError if the
// vocabulary lacks a control token that the template needs.
std::vector<TokenId> encode_chat(ChatTemplate t, const Tokenizer& tokenizer,
                                 std::span<const Message> messages);

// What ends an answer under a template, beside the tokenizer's own end tokens.
struct ChatStops {
  std::vector<TokenId> tokens;
  std::vector<std::string> strings;
};
ChatStops stops_of(ChatTemplate t, const Tokenizer& tokenizer);

}  // namespace bitnet
