// A conversation in one session, of which only what is new is run.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/export.h"
#include "bitnet/generate.h"
#include "bitnet/model.h"
#include "bitnet/sampler.h"
#include "bitnet/session.h"
#include "bitnet/types.h"

namespace BITNET_API bitnet {

// How a turn is taken.
struct TurnOptions {
  std::size_t max_tokens = static_cast<std::size_t>(-1);  // of the answer
  std::vector<std::string> stop_strings{};                // end the answer, beside the template's own
  bool ignore_eos = false;                                // goes on where the model ends its answer
  DraftOptions draft{};
  PromptCache* prompt_cache = nullptr;
  std::function<bool()> keep_going{};  // as in GenerateOptions, like
  std::function<void(double n_done, std::size_t n_tokens)> on_prompt{};
  // Called before the oldest turns are forgotten to make room.
  std::function<void(std::size_t n_turns)> on_forget{};
};

struct TurnResult {
  GenerateResult generation;  // n_prompt: tokens run before the answer, those of what is new
  std::size_t n_kept = 0;     // tokens of the conversation that the session held already
};

// Messages of a user and a model in turn, perhaps with a system message before them. The messages are what
// counts: they are encoded afresh for every turn, and of the tokens the session runs those that differ from
// what it holds. An answer that was thought about is run again in the next turn, without its thinking.
//
// A context that is full is no end: when a turn and a fair answer to it (a quarter of the context, or as many
// tokens as it may have) would not fit, the oldest turns are forgotten until half of the context is free. The
// system message stays.
class Conversation {
 public:
  // Model and session must outlive it, and nobody else may use the session. Throws UsageError for the raw
  // template, which has no turns, ModelError for a model that takes no text.
  Conversation(const Model& model, Session& session, ChatForm form);
  Conversation(const Model&& model, Session& session, ChatForm form) = delete;

  // The system message, if there is one, comes first; then user and assistant in turn.
  const std::vector<Message>& messages() const { return messages_; }
  std::size_t n_turns() const;                               // messages of the user
  std::size_t n_tokens() const;                              // that the session holds
  std::string_view system() const;                           // empty: none
  void set_system(std::string text);                         // from the next turn on; empty: none
  void set_thinking(Thinking how) { form_.thinking = how; }  // from the next answer on
  void clear();                                              // forgets every turn
  // In place of all there is. Throws UsageError, changing nothing, when the order is not that of messages().
  void restore(std::vector<Message> messages);

  // Says something and hands the answer to the sink as it comes, without white space before it, its thinking
  // included; a <think> that the template put there comes first. An answer that was interrupted stays as far
  // as it came; if that is not at all, the conversation is as before. Throws UsageError, with nothing
  // changed, for a message that no room can be made for; else as generate().
  TurnResult say(std::string text, Sampler& sampler, const TurnOptions& options, const TextSink& sink);
  // Answers the last message of the user anew. Throws UsageError when there is none.
  TurnResult say_again(Sampler& sampler, const TurnOptions& options, const TextSink& sink);

 private:
  std::size_t first_turn() const { return !messages_.empty() && messages_.front().role == Role::system; }
  std::vector<TokenId> encode_without(std::size_t n_turns) const;
  std::vector<TokenId> make_room(const TurnOptions& options);
  std::size_t rewind_to_common(const std::vector<TokenId>& prompt);
  void drop_what_is_gone();
  TurnResult answer(Sampler& sampler, const TurnOptions& options, const TextSink& sink);

  const Model& model_;
  Session& session_;
  ChatForm form_;
  ChatStops stops_;
  std::vector<Message> messages_;
  std::vector<TokenId> held_;  // the session's sequence, and perhaps a last token that was not run
};

}  // namespace bitnet
