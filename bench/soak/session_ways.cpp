// One sequence at a time: anew, behind another, halfway and again, token by token, from a file.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

#include "bitnet/conversation.h"
#include "bitnet/prompt_cache.h"
#include "bitnet/sampler.h"
#include "bitnet/session.h"
#include "soak/unit.h"

namespace bitnet::soak {

namespace {

constexpr DraftOptions kDrafts[] = {
    {}, {.max_tokens = 0}, {.max_tokens = 3, .adaptive = false}, {.max_tokens = 15, .adaptive = false}};

GenerateOptions any_options(Unit& u) { return {.all_logits = u.one_in(2), .draft = u.one_of(kDrafts)}; }

void generate_anew(Unit& u) {
  const std::size_t i = u.any_case();
  const Case& c = u.subject.cases[i];
  Session session(u.subject.model, u.session_options(c.precision));
  u.expect(answer_of(u.subject.model, session, c, 0, any_options(u)).agrees_with(u.subject.answers[i]),
           "another answer");
  if (u.one_in(2)) (void)session.take_profile();
}

// As much of a prompt as the session holds, but for its last token.
std::size_t keep_common(Session& session, const std::vector<TokenId>& held, const Case& c) {
  const auto [end, of_prompt] = std::ranges::mismatch(held, c.prompt);
  const std::size_t n = std::min(
      {static_cast<std::size_t>(end - held.begin()), c.prompt.size() - 1, to_index(session.position())});
  session.rewind(Position{static_cast<std::int32_t>(n)});
  return n;
}

void take_turns(Unit& u, Session& session, std::vector<TokenId>& held, const Precision& precision) {
  for (std::size_t n = 1 + u.below(4); n > 0; --n) {
    const std::size_t i = u.any_case();
    const Case& c = u.subject.cases[i];
    if (c.precision != precision) continue;
    const std::size_t n_held = keep_common(session, held, c);
    const Answer answer = answer_of(u.subject.model, session, c, n_held, any_options(u));
    held = c.prompt;
    held.insert(held.end(), answer.tokens.begin(), answer.tokens.end());
    u.expect(answer.agrees_with(u.subject.answers[i]), "another answer");
  }
}

void go_on_from_another(Unit& u) {
  const Precision precision = u.subject.cases[u.any_case()].precision;
  Session session(u.subject.model, u.session_options(precision));
  std::vector<TokenId> held;
  take_turns(u, session, held, precision);
  Session moved = std::move(session);
  take_turns(u, moved, held, precision);
}

void use_the_old_session(Unit& u) {
  const std::lock_guard lock(u.subject.session_mutex);
  take_turns(u, u.subject.session, u.subject.held, {});
}

void stop_halfway(Unit& u) {
  const std::size_t i = u.any_case();
  const Case& c = u.subject.cases[i];
  Session session(u.subject.model, u.session_options(c.precision));
  GenerateOptions options = any_options(u);
  options.keep_going = [n = u.below(200)]() mutable { return n-- > 0; };
  const Answer part = answer_of(u.subject.model, session, c, 0, options);
  u.expect(part.begins(u.subject.answers[i]), "not the beginning of the answer");
  const std::size_t n_held = std::min(to_index(session.position()), c.prompt.size() - 1);
  session.rewind(Position{static_cast<std::int32_t>(n_held)});
  u.expect(answer_of(u.subject.model, session, c, n_held, any_options(u)).agrees_with(u.subject.answers[i]),
           "another answer after a stop");
}

// As generate() does, by hand: from all logits and from candidates, with guesses that are taken back.
void go_by_steps(Unit& u) {
  const std::size_t i = u.any_case();
  const Case& c = u.subject.cases[i];
  const Answer& whole = u.subject.answers[i];
  const Model& model = u.subject.model;
  Session session(model, u.session_options(c.precision));
  Sampler of_all(c.sampler, model.info().vocab);
  Sampler of_some(c.sampler, model.info().vocab);
  const auto ends = model.tokenizer().end_tokens();
  std::vector<TokenId> history = c.prompt;
  Answer answer{.tokens = {}, .text = whole.text};
  Digest digest;
  u.expect(session.advance(c.prompt), "advance() stopped by itself");
  while (true) {
    const auto query = of_some.query(history);
    std::optional<TokenId> from_some;
    if (query) from_some = of_some.sample(session.candidates(*query), history);
    const std::span logits = session.logits();
    if (!query) from_some = of_some.sample(logits, history);
    digest.add(logits);
    const std::optional<TokenId> from_all = of_all.sample(logits, history);
    u.expect(from_all.has_value() && from_all == from_some, "candidates lead to another token");
    if (!from_all || from_all != from_some) return;
    answer.tokens.push_back(*from_all);
    history.push_back(*from_all);
    if (std::ranges::binary_search(ends, *from_all) || answer.tokens.size() == c.max_tokens) break;
    std::vector<TokenId> next{*from_all};
    const std::size_t room = u.subject.ctx_size - to_index(session.position()) - 1;
    const std::size_t n_guesses = std::min(u.below(4), room);
    for (std::size_t g = 0; g < n_guesses; ++g) {
      next.push_back(TokenId{static_cast<std::int32_t>(u.below(model.info().vocab))});
    }
    session.advance(next);
    if (n_guesses > 0) session.take_back(n_guesses);
  }
  answer.logits = digest.value();
  u.expect(answer.agrees_with(whole), "another answer");
}

void score_prompt(Unit& u) {
  const std::size_t i = u.any_case();
  const Case& c = u.subject.cases[i];
  Session session(u.subject.model, u.session_options(c.precision));
  u.expect(score_of(u.subject.model, session, c) == u.subject.scores[i], "other scores");
}

// Damages a file as one that comes from elsewhere may be: the old one stays as it is for those who use it.
void damage(Unit& u, const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const std::string copy = path + ".damaged" + std::to_string(u.below(1'000'000'000));
  fs::copy_file(path, copy, error);
  if (error) return;
  const std::uintmax_t size = fs::file_size(copy, error);
  if (!error && size > 0) fs::resize_file(copy, 1 + u.below(static_cast<std::size_t>(size)), error);
  fs::rename(copy, path, error);
}

void begin_from_a_file(Unit& u) {
  const std::size_t i = u.any_case();
  const Case& c = u.subject.cases[i];
  // A few for all, so that others write what this one reads.
  const std::string path = u.directory + "/prompt" + std::to_string(u.below(3));
  if (u.one_in(12)) damage(u, path);
  if (u.one_in(12)) {
    std::error_code error;
    std::filesystem::remove(path, error);
  }
  PromptCache cache(path, [](const std::string&) {});
  Session session(u.subject.model, u.session_options(c.precision));
  for (int turn = 0; turn < 2; ++turn) {
    session.rewind(Position{0});
    GenerateOptions options = any_options(u);
    options.prompt_cache = &cache;
    u.expect(answer_of(u.subject.model, session, c, 0, options).agrees_with(u.subject.answers[i]),
             "another answer from a prompt cache");
  }
}

void talk(Unit& u) {
  if (u.subject.talks.empty()) return;
  const Talk& t = u.subject.talks[u.below(u.subject.talks.size())];
  const Model& model = u.subject.model;
  Session session(model, u.session_options({}));
  Conversation conversation(model, session, *u.subject.form);
  TurnOptions options;
  options.max_tokens = kTurnTokens;
  options.draft = u.one_of(kDrafts);
  for (std::size_t i = 0; i < t.questions.size(); ++i) {
    const auto before = conversation.messages();
    const auto ask = [&](bool again, std::size_t n_pieces) {
      Sampler sampler({.temperature = 0.7F, .seed = 1}, model.info().vocab);
      std::string answer;
      const TextSink sink = [&](std::string_view text) {
        answer += text;
        return --n_pieces > 0;
      };
      again ? conversation.say_again(sampler, options, sink)
            : conversation.say(t.questions[i], sampler, options, sink);
      return answer;
    };
    constexpr std::size_t kAll = 1'000'000;
    if (u.one_in(3)) {  // is interrupted, and what was said so far is taken from what was saved
      (void)ask(false, 1 + u.below(4));
      conversation.restore(before);
    }
    u.expect(ask(false, kAll) == t.answers[i], "another answer in a talk");
    if (u.one_in(3)) u.expect(ask(true, kAll) == t.answers[i], "another answer when asked again");
  }
}

constexpr Way kSessionWays[] = {{"a new session", generate_anew},
                                {"one session, several texts", go_on_from_another},
                                {"the old session", use_the_old_session},
                                {"stopped halfway", stop_halfway},
                                {"by steps", go_by_steps},
                                {"scores", score_prompt},
                                {"a prompt cache", begin_from_a_file},
                                {"a talk", talk}};

}  // namespace

std::span<const Way> session_ways() { return kSessionWays; }

}  // namespace bitnet::soak
