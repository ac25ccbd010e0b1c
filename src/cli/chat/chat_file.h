// Conversations in files.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/chat.h"

namespace bitnet::cli {

// The file is one JSON object:
//   schema, version   "bitnet.chat", 1
//   program, commit   that wrote it
//   model             that the conversation was with; for people
//   template          the name of the chat template; for people
//   messages          in order, each {role: "system", "user" or "assistant", content}
// What is no UTF-8 in a message stands there as U+FFFD. The only file that is replaced is one of this kind:
// returns whether there was one. Throws UsageError for another, RuntimeError when it cannot be written.
bool save_chat(const std::string& path, std::string_view model, ChatTemplate chat_template,
               std::span<const Message> messages);

struct SavedChat {
  std::string model;  // empty: the file doesn't say
  std::string chat_template;
  std::vector<Message> messages;
};
// Throws ModelError for a file that cannot be read or is no such object. The order of the messages is not
// looked at.
SavedChat load_chat(const std::string& path);

// The file that a user means who types this: ~/ begins at home, as in a shell.
std::string path_of(const std::string& typed);

}  // namespace bitnet::cli
