// The talk itself: messages to answers, and the commands among them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "bitnet/conversation.h"
#include "cli/chat/line_source.h"
#include "cli/terminal/exit_code.h"

namespace bitnet::cli {

class ChatLoop {
 public:
  // Everything must outlive it. `interactive`: someone types; then Ctrl-C stops no more than an answer, and
  // what goes wrong with a message or command is said and the talk goes on. Otherwise it ends it, as in any
  // command.
  ChatLoop(const Model& model, Session& session, Conversation& conversation, ChatTemplate chat_template,
           Sampler& sampler, bool interactive);

  void set_max_tokens(std::size_t n) { max_tokens_ = n; }  // of an answer

  // Until the lines end, /exit, or a signal.
  ExitCode run(LineSource& lines);

 private:
  struct Command;
  static const Command kCommands[];

  enum class Next { go_on, end };
  Next obey_or_say(const std::string& line);
  Next obey(std::string_view name, const std::string& argument);
  void take_turn(const std::optional<std::string>& message);  // nullopt: the last one again
  void report(const TurnResult& result) const;

  Next help(const std::string&);
  Next system(const std::string& text);
  Next clear(const std::string&);
  Next again(const std::string&);
  Next save(const std::string& path);
  Next load(const std::string& path);
  Next stats(const std::string&);
  Next exit(const std::string&);

  const Model& model_;
  Session& session_;
  Conversation& conversation_;
  ChatTemplate template_;
  Sampler& sampler_;
  bool interactive_;
  std::size_t max_tokens_ = static_cast<std::size_t>(-1);
  std::optional<TurnResult> last_;
};

}  // namespace bitnet::cli
