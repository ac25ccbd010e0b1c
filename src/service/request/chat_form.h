// The form in which a model wants what it is asked, and what ends its answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/model.h"
#include "bitnet/tokenizer.h"
#include "bitnet/types.h"

namespace bitnet::service {

inline constexpr std::string_view kAutoTemplate = "auto";  // the model's own

// How messages call the model, where its file's name would only say on which machine this is.
inline constexpr std::string_view kTheModel = "the model";

// The template named, or the model's own for "auto", and how answers begin in it. Throws UsageError if the
// template is none of ours, the vocabulary lacks what it needs or it has no thinking to turn on or off,
// ModelError if the model takes no text. Errors about options are OptionErrors: of "template" and "think".
ChatForm find_form(std::string_view name, std::optional<bool> think, const Model& model,
                   std::string_view model_name = kTheModel);
// How answers begin where thinking was asked for or not. Throws as above.
Thinking find_thinking(ChatTemplate t, std::optional<bool> think, const Model& model,
                       std::string_view model_name = kTheModel);

// The tokens of a prompt: as it stands with raw, where control tokens may be `special`, otherwise as the
// user's turn after the system message, if there is one. Throws OptionError of "system" and "special",
// ModelError if the model takes no text.
std::vector<TokenId> encode_prompt(ChatForm form, const Model& model, const std::string& prompt,
                                   const std::string& system, bool special);

// The tokens of a conversation that is to be answered; the system message stands before it, unless it is
// empty or the conversation has one. Throws as above.
std::vector<TokenId> encode_messages(ChatForm form, const Model& model, std::vector<Message> messages,
                                     const std::string& system, bool special);

struct Stops {
  std::vector<TokenId> tokens;
  std::vector<std::string> strings;
};

// The stop strings that were asked for, the template's, and the model's own end unless that is ignored.
Stops find_stops(const std::vector<std::string>& asked_for, bool ignore_eos, ChatTemplate chat_template,
                 const Tokenizer& tokenizer);

}  // namespace bitnet::service
