// The talk itself: messages to answers, and the commands among them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/conversation.h"
#include "cli/chat/chat_settings.h"
#include "cli/chat/completion.h"
#include "cli/chat/line_source.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

// How a conversation is held.
struct ChatManner {
  ChatSettings settings;
  std::vector<std::string> stop_strings;
  bool ignore_eos = false;
  DraftOptions draft{};
  std::optional<std::string> prompt_cache{};  // the name of its file
  // Someone types: then Ctrl-C stops no more than an answer, and what goes wrong with a message or command is
  // said and the talk goes on. Otherwise it ends it, as in any command.
  bool interactive = false;
  bool wraps = true;  // where stdout is a terminal
  bool quiet = false;
};

class ChatLoop {
 public:
  // Model, session and conversation must outlive it.
  ChatLoop(const Model& model, Session& session, Conversation& conversation, ChatForm form,
           ChatManner manner);

  // Until the lines end, /exit, or a signal. `first` is said before any of them.
  ExitCode run(LineSource& lines, const std::optional<std::string>& first);

  static Completion complete(std::string_view line);

 private:
  struct Command;
  static const Command kCommands[];
  static std::vector<std::string> command_names();

  enum class Next { go_on, end };
  Next obey_or_say(const std::string& line);
  Next obey(std::string_view name, const std::string& argument);
  template <typename Act>
  Next guarded(Act act);
  bool hints_at_a_command(const std::string& line) const;
  void take_turn(const std::optional<std::string>& message);  // nullopt: the last one again
  void report(const TurnResult& result);

  Next help(const std::string&);
  Next system(const std::string& text);
  Next clear(const std::string&);
  Next again(const std::string&);
  Next undo(const std::string&);
  Next show(const std::string&);
  Next set(const std::string& what);
  Next think(const std::string& how);
  Next save(const std::string& typed);
  Next load(const std::string& typed);
  Next stats(const std::string&);
  Next exit(const std::string&);

  const Model& model_;
  Session& session_;
  Conversation& conversation_;
  ChatForm form_;
  ChatManner manner_;
  Sampler sampler_;
  std::optional<PromptCache> prompt_cache_;
  std::optional<TurnResult> last_;
};

// "1 turn", "3 turns"
std::string counted(std::size_t n, std::string_view what);

}  // namespace bitnet::cli
