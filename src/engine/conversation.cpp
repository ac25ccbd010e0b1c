#include "bitnet/conversation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "bitnet/error.h"

namespace bitnet {
namespace {

// An answer's text, collected on its way to the sink.
class Answer {
 public:
  // `opening`: comes before the first of it.
  Answer(const TextSink& sink, std::string_view opening) : sink_(sink), opening_(opening) {}

  // Templates trim what was said, so the white space that a model begins with is not part of it.
  bool push(std::string_view piece) {
    if (text_.empty()) piece.remove_prefix(std::min(piece.find_first_not_of(" \t\r\n"), piece.size()));
    if (piece.empty()) return true;
    if (text_.empty() && !opening_.empty()) {
      text_ = opening_;
      if (!sink_(text_)) return false;
    }
    text_.append(piece);
    return sink_(piece);
  }
  std::string take() { return std::move(text_); }

 private:
  const TextSink& sink_;
  std::string_view opening_;
  std::string text_;
};

}  // namespace

Conversation::Conversation(const Model& model, Session& session, ChatForm form)
    : model_(model), session_(session), form_(form), stops_(stops_of(form.chat_template, model.tokenizer())) {
  model.require_text();
  if (form.chat_template == ChatTemplate::raw) {
    const std::string names = chat_template_names();  // raw is the first
    throw UsageError("template raw has no turns; choose from " + names.substr(names.find(' ') + 1));
  }
}

std::size_t Conversation::n_turns() const {
  return static_cast<std::size_t>(std::ranges::count(messages_, Role::user, &Message::role));
}

std::size_t Conversation::n_tokens() const { return to_index(session_.position()); }

std::string_view Conversation::system() const {
  return first_turn() == 1 ? std::string_view(messages_.front().content) : std::string_view();
}

void Conversation::set_system(std::string text) {
  if (first_turn() == 1) messages_.erase(messages_.begin());
  if (!text.empty()) messages_.insert(messages_.begin(), {Role::system, std::move(text)});
}

void Conversation::clear() {
  messages_.resize(first_turn(), {Role::user, {}});
  drop_what_is_gone();
}

void Conversation::restore(std::vector<Message> messages) {
  const bool has_system = !messages.empty() && messages.front().role == Role::system;
  for (std::size_t i = has_system ? 1 : 0; i < messages.size(); ++i) {
    const Role wanted = (i - (has_system ? 1 : 0)) % 2 == 0 ? Role::user : Role::assistant;
    if (messages[i].role != wanted) {
      throw UsageError(
          "message " + std::to_string(i + 1) +
          ": user and assistant must take turns, the user first, after at most one system message");
    }
  }
  messages_ = std::move(messages);
  drop_what_is_gone();
}

// The tokens of what is left when the oldest turns are forgotten.
std::vector<TokenId> Conversation::encode_without(std::size_t n_turns) const {
  const std::size_t first = first_turn();
  if (n_turns == 0 || first == 0) {
    return encode_chat(form_, model_.tokenizer(), std::span(messages_).subspan(2 * n_turns));
  }
  std::vector<Message> kept{messages_.front()};
  const auto begin = messages_.begin() + static_cast<std::ptrdiff_t>(first + 2 * n_turns);
  kept.insert(kept.end(), begin, messages_.end());
  return encode_chat(form_, model_.tokenizer(), kept);
}

// The tokens to be answered, with the oldest turns forgotten if need be.
std::vector<TokenId> Conversation::make_room(const TurnOptions& options) {
  const std::size_t ctx_size = session_.ctx_size();
  const std::size_t for_answer = std::min(options.max_tokens, ctx_size / 4);
  std::vector<TokenId> prompt = encode_without(0);
  if (prompt.size() + for_answer <= ctx_size) return prompt;

  // Down to half of the context at once: what is left must be run anew, and that should not be every turn.
  std::size_t n_forgotten = 0;
  for (std::size_t most = n_turns() - 1; n_forgotten < most;) {
    const std::size_t middle = (n_forgotten + most) / 2;
    if (encode_without(middle).size() > ctx_size / 2) {
      n_forgotten = middle + 1;
    } else {
      most = middle;
    }
  }
  if (n_forgotten > 0) prompt = encode_without(n_forgotten);
  if (prompt.size() >= ctx_size) {
    const bool may_grow = ctx_size < model_.info().context_length;
    throw OptionError(
        "the message" + std::string(first_turn() == 1 ? " and the system message take " : " takes ") +
            std::to_string(prompt.size()) + " tokens, and the context holds " + std::to_string(ctx_size) +
            "; shorten it" + (may_grow ? " or raise " : ": the model was made for no larger "),
        "ctx_size", may_grow ? ", to " + std::to_string(model_.info().context_length) + " at most" : "");
  }
  if (n_forgotten > 0) {
    if (options.on_forget) options.on_forget(n_forgotten);
    const auto begin = messages_.begin() + static_cast<std::ptrdiff_t>(first_turn());
    messages_.erase(begin, begin + static_cast<std::ptrdiff_t>(2 * n_forgotten));
  }
  return prompt;
}

// Leaves in the session what it shares with the prompt, but for the last token: its logits are wanted.
std::size_t Conversation::rewind_to_common(const std::vector<TokenId>& prompt) {
  held_.resize(std::min(held_.size(), to_index(session_.position())));
  const auto common = std::ranges::mismatch(held_, std::span(prompt).first(prompt.size() - 1)).in1;
  held_.erase(common, held_.end());
  session_.rewind(Position{static_cast<std::int32_t>(held_.size())});
  return held_.size();
}

// The next turn would do it as well, but n_tokens() tells before.
void Conversation::drop_what_is_gone() {
  if (held_.empty()) return;
  if (!messages_.empty()) {
    rewind_to_common(encode_without(0));
  } else {
    session_.rewind(Position{0});
    held_.clear();
  }
}

// Appends the answer to the messages, the last of which is the user's.
TurnResult Conversation::answer(Sampler& sampler, const TurnOptions& options, const TextSink& sink) {
  const std::vector<TokenId> prompt = make_room(options);
  GenerateOptions generation;
  generation.max_tokens = options.max_tokens;
  generation.draft = options.draft;
  generation.prompt_cache = options.prompt_cache;
  generation.keep_going = options.keep_going;
  generation.on_prompt = options.on_prompt;
  generation.stop_strings = stops_.strings;
  generation.stop_strings.insert(generation.stop_strings.end(), options.stop_strings.begin(),
                                 options.stop_strings.end());
  if (!options.ignore_eos) {
    generation.stop_tokens = stops_.tokens;
    const auto ends = model_.tokenizer().end_tokens();
    generation.stop_tokens.insert(generation.stop_tokens.end(), ends.begin(), ends.end());
  }

  TurnResult result;
  result.n_kept = rewind_to_common(prompt);
  Answer answer(sink, form_.thinking == Thinking::begun ? "<think>\n" : "");
  try {
    result.generation = generate(model_, session_, sampler, held_, std::span(prompt).subspan(result.n_kept),
                                 generation, [&](std::string_view piece) { return answer.push(piece); });
  } catch (...) {
    session_.rewind(Position{0});
    held_.clear();
    throw;
  }
  messages_.push_back({Role::assistant, answer.take()});
  return result;
}

TurnResult Conversation::say(std::string text, Sampler& sampler, const TurnOptions& options,
                             const TextSink& sink) {
  // A message of the user that is still without an answer is taken back.
  if (!messages_.empty() && messages_.back().role == Role::user) messages_.pop_back();
  messages_.push_back({Role::user, std::move(text)});
  try {
    TurnResult result = answer(sampler, options, sink);
    const bool nothing_came = messages_.back().content.empty();
    if (nothing_came && result.generation.reason == StopReason::interrupted) {
      messages_.resize(messages_.size() - 2, {Role::user, {}});
    }
    return result;
  } catch (...) {
    messages_.pop_back();
    throw;
  }
}

TurnResult Conversation::say_again(Sampler& sampler, const TurnOptions& options, const TextSink& sink) {
  if (n_turns() == 0) throw UsageError("there is nothing yet that could be answered again");
  std::optional<Message> before;
  if (messages_.back().role == Role::assistant) {
    before = std::move(messages_.back());
    messages_.pop_back();
  }
  try {
    TurnResult result = answer(sampler, options, sink);
    const bool nothing_came = messages_.back().content.empty();
    if (nothing_came && result.generation.reason == StopReason::interrupted) {
      messages_.pop_back();
      if (before) messages_.push_back(std::move(*before));
    }
    return result;
  } catch (...) {
    if (before) messages_.push_back(std::move(*before));
    throw;
  }
}

}  // namespace bitnet
