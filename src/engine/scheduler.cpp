#include "bitnet/scheduler.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/error.h"
#include "engine/sequence.h"
#include "engine/session_choices.h"
#include "model/model_impl.h"

namespace bitnet {
namespace {

std::size_t in_range(std::size_t value, std::size_t least, std::size_t most, const char* name) {
  if (value >= least && value <= most) return value;
  throw OptionError("", name,
                    " " + std::to_string(value) + " is not between " + std::to_string(least) + " and " +
                        std::to_string(most));
}

}  // namespace

struct Scheduler::Impl {
  struct Running {
    std::unique_ptr<Sequence> sequence;
    std::unique_ptr<Session> session;
  };

  Impl(const Model& m, const SchedulerOptions& o)
      : model(m),
        options(o),
        ctx_size(choose_ctx_size(m.impl().config, o.ctx_size)),
        kv_tokens(o.kv_tokens != 0 ? o.kv_tokens : std::max<std::size_t>(ctx_size, 16384)),
        spare(make_session()) {
    in_range(o.n_sequences, 1, 1024, "n_sequences");
    in_range(o.pass_tokens, 1, kMostPassTokens, "pass_tokens");
    in_range(kv_tokens, ctx_size, std::size_t{1} << 40, "kv_tokens");
  }

  std::unique_ptr<Session> make_session() const {
    return std::make_unique<Session>(
        model, SessionOptions{.ctx_size = ctx_size,
                              .n_threads = options.n_threads,
                              .pin_threads = options.pin_threads,
                              .prefill_chunk = std::min<std::size_t>(options.pass_tokens, 4096),
                              .kv_type = options.kv_type,
                              .activations = options.activations,
                              .backend = options.backend});
  }

  bool run(Running& r) {
    Sequence& s = *r.sequence;
    const std::size_t n = std::min(s.n_left(), r.session->max_pass());
    (s.is_decoding() ? counts.n_generated_tokens : counts.n_prompt_tokens) += n;
    r.session->advance(s.tokens().subspan(s.n_run(), n));
    s.ran(n);
    ++counts.n_passes;
    if (s.n_left() > 0) return false;
    if (s.wants_nothing()) return true;
    const std::optional<CandidateQuery> query =
        r.session->head() == HeadKind::screened ? s.query() : std::nullopt;
    return query ? s.choose(r.session->candidates(*query)) : s.choose(r.session->logits());
  }

  const Model& model;
  SchedulerOptions options;
  std::size_t ctx_size;
  std::size_t kv_tokens;
  std::unique_ptr<Session> spare;
  SequenceId last_id = 0;
  std::deque<std::unique_ptr<Sequence>> waiting;
  std::vector<Running> running;
  std::vector<SequenceId> cancelled;
  SchedulerCounts counts;
};

Scheduler::Scheduler(const Model& model, const SchedulerOptions& options)
    : impl_(std::make_unique<Impl>(model, options)) {}
Scheduler::Scheduler(Scheduler&&) noexcept = default;
Scheduler& Scheduler::operator=(Scheduler&&) noexcept = default;
Scheduler::~Scheduler() = default;

SequenceId Scheduler::add(SequenceRequest request) {
  Impl& s = *impl_;
  s.waiting.push_back(std::make_unique<Sequence>(s.last_id + 1, s.model, std::move(request), s.ctx_size));
  return ++s.last_id;
}

void Scheduler::cancel(SequenceId id) { impl_->cancelled.push_back(id); }

bool Scheduler::step() {
  Impl& s = *impl_;
  std::vector<std::unique_ptr<Sequence>> ended;
  const auto is_cancelled = [&](const Sequence& sequence) {
    return std::ranges::count(s.cancelled, sequence.id()) != 0;
  };
  for (auto& w : s.waiting) {
    if (!is_cancelled(*w)) continue;
    w->stop(StopReason::interrupted);
    ended.push_back(std::move(w));
  }
  std::erase(s.waiting, nullptr);
  for (Impl::Running& r : s.running) {
    if (!is_cancelled(*r.sequence)) continue;
    r.sequence->stop(StopReason::interrupted);
    ended.push_back(std::move(r.sequence));
  }
  std::erase_if(s.running, [](const Impl::Running& r) { return r.sequence == nullptr; });
  s.cancelled.clear();
  while (!s.waiting.empty() && s.running.size() < s.options.n_sequences) {
    s.waiting.front()->start();
    s.running.push_back({std::move(s.waiting.front()), s.make_session()});
    s.waiting.pop_front();
  }
  for (Impl::Running& r : s.running) {
    if (s.run(r)) ended.push_back(std::move(r.sequence));
  }
  std::erase_if(s.running, [](const Impl::Running& r) { return r.sequence == nullptr; });
  for (const auto& sequence : ended) sequence->end();
  return !s.running.empty() || !s.waiting.empty();
}

std::size_t Scheduler::n_running() const { return impl_->running.size(); }
std::size_t Scheduler::n_waiting() const { return impl_->waiting.size(); }
const SchedulerCounts& Scheduler::counts() const { return impl_->counts; }
std::size_t Scheduler::ctx_size() const { return impl_->ctx_size; }
std::size_t Scheduler::n_sequences() const { return impl_->options.n_sequences; }
std::size_t Scheduler::kv_tokens() const { return impl_->kv_tokens; }
std::size_t Scheduler::kv_tokens_used() const {
  std::size_t n = 0;
  for (const Impl::Running& r : impl_->running) n += r.sequence->n_run();
  return n;
}
std::size_t Scheduler::kv_bytes() const { return impl_->spare->kv_bytes(); }
unsigned Scheduler::n_threads() const { return impl_->spare->n_threads(); }
std::string_view Scheduler::backend() const { return impl_->spare->backend(); }
ActivationType Scheduler::activations() const { return impl_->spare->activations(); }
HeadKind Scheduler::head() const { return impl_->spare->head(); }

}  // namespace bitnet
