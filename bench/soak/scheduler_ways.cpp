// Many sequences at once, that come, go, are cancelled, are left, and fail.
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "bitnet/scheduler.h"
#include "soak/unit.h"

namespace bitnet::soak {

namespace {

enum class Fate { whole, cancelled, left, fails };

struct Sequence {
  std::size_t index = 0;  // of its case
  Fate fate = Fate::whole;
  std::size_t patience = 0;  // pieces of text or tokens until its fate comes
  SequenceId id = 0;
  Answer answer;
  Digest logits;
  std::size_t n_ends = 0;
};

constexpr std::string_view kFailure = "the client's own failure";

SequenceRequest request_of(const Unit& u, Sequence& s, bool all_logits) {
  const Case& c = u.subject.cases[s.index];
  SequenceRequest request;
  request.prompt = c.prompt;
  request.sampler = c.sampler;
  request.max_tokens = c.max_tokens;
  const auto ends = u.subject.model.tokenizer().end_tokens();
  request.stop_tokens.assign(ends.begin(), ends.end());
  request.all_logits = all_logits;
  request.on_text = [&s](std::string_view text) {
    s.answer.text += text;
    return s.fate != Fate::left || s.patience-- > 0;
  };
  request.on_token = [&s](const TokenStep& step) {
    s.answer.tokens.push_back(step.id);
    s.logits.add(step.logits);
    if (s.fate == Fate::fails && s.patience-- == 0) throw std::runtime_error(std::string(kFailure));
  };
  return request;
}

void check_end(Unit& u, Sequence& s, const SequenceEnd& end, bool all_logits) {
  ++s.n_ends;
  const Answer& whole = u.subject.answers[s.index];
  if (all_logits) s.answer.logits = s.logits.value();
  const bool is_whole = end.result.reason != StopReason::interrupted;
  if (s.fate == Fate::fails && !is_whole) {
    u.expect(end.error.find(kFailure) != std::string::npos, "the error of a function is lost: " + end.error);
  } else {
    u.expect(end.error.empty(), "an error: " + end.error);
  }
  u.expect(is_whole || s.fate != Fate::whole, "a sequence was interrupted by nobody");
  u.expect(is_whole ? s.answer.agrees_with(whole) : s.answer.begins(whole),
           is_whole ? "another answer" : "not the beginning of the answer");
}

void run_together(Unit& u, Scheduler& scheduler, const Precision& precision) {
  std::deque<Sequence> sequences;
  std::size_t n_to_come = 1 + u.below(24);
  const bool all_logits = u.one_in(2);
  constexpr Fate kFates[] = {Fate::whole, Fate::whole,     Fate::whole, Fate::whole,
                             Fate::left,  Fate::cancelled, Fate::fails};
  const auto add = [&] {
    const std::size_t i = u.any_case();
    if (u.subject.cases[i].precision != precision) return;
    Sequence& s = sequences.emplace_back();
    s.index = i;
    s.fate = u.one_of(kFates);
    s.patience = u.below(20);
    SequenceRequest request = request_of(u, s, all_logits);
    request.on_end = [&](const SequenceEnd& end) { check_end(u, s, end, all_logits); };
    s.id = scheduler.add(std::move(request));
  };
  do {
    for (; n_to_come > 0 && !u.one_in(4); --n_to_come) add();
    for (Sequence& s : sequences) {
      if (s.fate == Fate::cancelled && s.patience-- == 0) scheduler.cancel(s.id);
    }
  } while (scheduler.step() || n_to_come > 0);
  for (const Sequence& s : sequences) u.expect(s.n_ends == 1, "a sequence did not end, or twice");
  u.expect(scheduler.n_running() == 0 && scheduler.n_waiting() == 0 && scheduler.kv_tokens_used() == 0,
           "something is left of sequences that have ended");
}

void use_a_new_scheduler(Unit& u) {
  const Precision precision = u.subject.cases[u.any_case()].precision;
  const SessionOptions session = u.session_options(precision);
  constexpr std::size_t kPasses[] = {1, 17, 256};
  Scheduler scheduler(u.subject.model, {.ctx_size = session.ctx_size,
                                        .n_sequences = 1 + u.below(12),
                                        .kv_tokens = session.ctx_size * (1 + u.below(3)),
                                        .pass_tokens = u.one_of(kPasses),
                                        .share_prefixes = !u.one_in(4),
                                        .n_threads = session.n_threads,
                                        .kv_type = session.kv_type,
                                        .activations = session.activations,
                                        .backend = session.backend});
  run_together(u, scheduler, precision);
  // Goes while sequences run and wait.
  std::deque<Sequence> never_end(u.below(6));
  for (Sequence& s : never_end) scheduler.add(request_of(u, s, false));
  if (!never_end.empty()) scheduler.step();
}

void use_the_old_scheduler(Unit& u) {
  const std::lock_guard lock(u.subject.scheduler_mutex);
  run_together(u, u.subject.scheduler, {});
}

constexpr Way kSchedulerWays[] = {{"a new scheduler", use_a_new_scheduler},
                                  {"the old scheduler", use_the_old_scheduler}};

}  // namespace

std::span<const Way> scheduler_ways() { return kSchedulerWays; }

}  // namespace bitnet::soak
