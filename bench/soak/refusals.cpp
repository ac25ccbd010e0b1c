// What must be refused, each time in the same words, and leave all as it was.
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "bitnet/conversation.h"
#include "bitnet/error.h"
#include "bitnet/scheduler.h"
#include "bitnet/score.h"
#include "soak/unit.h"

namespace bitnet::soak {

namespace {

// An error's words, with its kind before them; empty where nothing was refused.
std::string refusal_of(const std::function<void()>& act) {
  try {
    act();
    return {};
  } catch (const OptionError& e) {
    return std::string("option: ") + e.what();
  } catch (const UsageError& e) {
    return std::string("usage: ") + e.what();
  } catch (const ModelError& e) {
    return std::string("model: ") + e.what();
  } catch (const RuntimeError& e) {
    return std::string("runtime: ") + e.what();
  }
}

void expect_refused(Unit& u, const std::string& kind, const char* what, const std::function<void()>& act) {
  // The first words of each, per model.
  static std::mutex mutex;
  static std::map<std::string, std::string> first_words;
  const std::string words = refusal_of(act);
  const std::lock_guard lock(mutex);
  const std::string& first = first_words.try_emplace(u.subject.path + what, words).first->second;
  u.expect(words.starts_with(kind + ":") && words == first,
           std::string(what) + ": '" + words + "', at first '" + first + "'");
}

void refuse_options(Unit& u) {
  const Model& model = u.subject.model;
  const auto session = [&](const SessionOptions& options) { (void)Session(model, options); };
  const auto sampler = [&](SamplerOptions options) { (void)Sampler(options, model.info().vocab); };
  const auto scheduler = [&](const SchedulerOptions& options) { (void)Scheduler(model, options); };
  expect_refused(u, "option", "a backend", [&] { session({.backend = "abacus"}); });
  expect_refused(u, "option", "no chunk", [&] { session({.prefill_chunk = 0}); });
  expect_refused(u, "option", "threads", [&] { session({.n_threads = 1'000'000}); });
  expect_refused(u, "option", "temperature", [&] { sampler({.temperature = -1.0F}); });
  expect_refused(u, "option", "top_p", [&] { sampler({.top_p = 2.0F}); });
  expect_refused(u, "option", "top_k", [&] { sampler({.top_k = -1}); });
  expect_refused(u, "usage", "no vocabulary", [&] { (void)Sampler({}, 0); });
  expect_refused(u, "option", "sequences", [&] { scheduler({.n_sequences = 0}); });
  expect_refused(u, "option", "kv tokens", [&] { scheduler({.ctx_size = 64, .kv_tokens = 1}); });
  expect_refused(u, "option", "pass", [&] { scheduler({.ctx_size = 64, .pass_tokens = 0}); });
}

void refuse_tokens(Unit& u) {
  const Model& model = u.subject.model;
  const std::size_t i = u.any_case();
  const Case& c = u.subject.cases[i];
  Session session(model, u.session_options(c.precision));
  const TokenId beyond{static_cast<std::int32_t>(model.info().vocab)};
  expect_refused(u, "usage", "no logits yet", [&] { (void)session.logits(); });
  const std::size_t n_held = u.below(c.prompt.size());
  if (n_held > 0) session.advance(std::span(c.prompt).first(n_held));
  const std::vector<TokenId> too_many(u.subject.ctx_size + 1, TokenId{1});
  expect_refused(u, "usage", "no tokens", [&] { (void)session.run({}); });
  expect_refused(u, "usage", "an id beyond", [&] { (void)session.run(std::vector{TokenId{1}, beyond}); });
  expect_refused(u, "usage", "an id below", [&] { (void)session.run(std::vector{TokenId{-1}}); });
  u.expect(refusal_of([&] {
             session.rewind(Position{static_cast<std::int32_t>(n_held + 1)});
           }).starts_with("usage:"),
           "rewound forwards");
  u.expect(!refusal_of([&] { (void)session.run(too_many); }).empty(), "a prompt longer than the context");
  u.expect(to_index(session.position()) == n_held, "a refusal moved the sequence");
  u.expect(answer_of(model, session, c, n_held, {.all_logits = true}).agrees_with(u.subject.answers[i]),
           "another answer after refusals");
  expect_refused(u, "option", "a first score", [&] { (void)score(model, session, c.prompt, {.first = 0}); });
}

void refuse_sequences(Unit& u) {
  const std::lock_guard lock(u.subject.scheduler_mutex);
  Scheduler& scheduler = u.subject.scheduler;
  const auto add = [&](SequenceRequest request) { scheduler.add(std::move(request)); };
  expect_refused(u, "usage", "an empty prompt", [&] { add({}); });
  expect_refused(u, "option", "a long prompt",
                 [&] { add({.prompt = std::vector<TokenId>(u.subject.ctx_size + 1, TokenId{1})}); });
  expect_refused(u, "usage", "an id below, with others", [&] { add({.prompt = {TokenId{1}, TokenId{-7}}}); });
  expect_refused(u, "option", "min_p", [&] { add({.prompt = {TokenId{1}}, .sampler = {.min_p = -0.5F}}); });
  expect_refused(u, "option", "an empty stop", [&] { add({.prompt = {TokenId{1}}, .stop_strings = {""}}); });
  u.expect(scheduler.n_waiting() == 0, "a refused sequence waits");
  scheduler.cancel(u.below(1'000'000'000) << 32);  // there is none
}

void refuse_talks(Unit& u) {
  if (u.subject.talks.empty()) return;
  const Model& model = u.subject.model;
  Session session(model, u.session_options({}));
  expect_refused(u, "usage", "raw turns", [&] { (void)Conversation(model, session, ChatTemplate::raw); });
  Conversation conversation(model, session, *u.subject.form);
  Sampler sampler({}, model.info().vocab);
  const TextSink sink = [](std::string_view) { return true; };
  expect_refused(u, "usage", "answers first", [&] { conversation.restore({{Role::assistant, "Hello."}}); });
  expect_refused(u, "usage", "nothing to repeat", [&] { conversation.say_again(sampler, {}, sink); });
  std::string long_text;
  for (std::size_t i = 0; i < u.subject.ctx_size; ++i) long_text += "word " + std::to_string(i) + ' ';
  expect_refused(u, "option", "a long message", [&] { conversation.say(long_text, sampler, {}, sink); });
  u.expect(conversation.messages().empty(), "a refused message is part of the talk");
}

void refuse_files(Unit& u) {
  alignas(64) static constexpr std::byte kNoModel[64]{};
  expect_refused(u, "model", "zeros", [] { (void)Model::from_bytes(kNoModel, "zeros"); });
  expect_refused(u, "model", "no file", [&] { (void)Model::load(u.directory + "/none.gguf"); });
  expect_refused(u, "model", "a directory", [&] { (void)Model::load(u.directory); });
  expect_refused(u, "option", "a cache of what is in memory", [] {
    (void)Model::from_bytes(kNoModel, "zeros", {.head = HeadKind::screened, .cache_head = true});
  });
  // A small file may be loaded before anybody is asked.
  bool is_asked = false;
  const std::string words = refusal_of([&] {
    (void)Model::load(u.subject.path, {.on_progress = [&](double) {
                        is_asked = true;
                        return false;
                      }});
  });
  u.expect(is_asked ? words.starts_with("runtime:") : words.empty(),
           "loading that was told to stop: " + words);
}

constexpr Way kRefusalWays[] = {{"refused options", refuse_options},
                                {"refused tokens", refuse_tokens},
                                {"refused sequences", refuse_sequences},
                                {"refused talks", refuse_talks},
                                {"refused files", refuse_files}};

}  // namespace

std::span<const Way> refusals() { return kRefusalWays; }

}  // namespace bitnet::soak
