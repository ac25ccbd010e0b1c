#include "bitnet/scheduler.h"

#include <algorithm>
#include <array>
#include <utility>

#include "bitnet/error.h"
#include "engine/scheduler_impl.h"
#include "engine/session_choices.h"

namespace bitnet {
namespace {

constexpr std::size_t kBlock = KvBlocks::kTokens;
constexpr std::size_t kMostSequences = 1024;
constexpr std::size_t kDefaultKvTokens = 16384;
// A prompt waits for another that is being run when it gets at least so many tokens from there.
constexpr std::size_t kWorthWaiting = 16;
// Whose logits are computed together, at most.
constexpr std::size_t kMostHeadTokens = 32;

std::size_t blocks_for(std::size_t n_tokens) { return (n_tokens + kBlock - 1) / kBlock; }

SchedulerOptions checked(SchedulerOptions options, std::size_t ctx_size) {
  in_range(options.n_sequences, 1, kMostSequences, "n_sequences");
  in_range(options.pass_tokens, 1, kMostPassTokens, "pass_tokens");
  in_range(options.prompt_tokens_beside, 1, kMostPassTokens, "prompt_tokens_beside");
  if (options.kv_tokens == 0) {
    options.kv_tokens = std::max(ctx_size, std::min(options.n_sequences * ctx_size, kDefaultKvTokens));
  }
  // More than there are bytes to address is for the allocation to refuse.
  in_range(options.kv_tokens, ctx_size, std::size_t{1} << 40, "kv_tokens");
  return options;
}

SessionOptions session_options(const SchedulerOptions& options) {
  return {.n_threads = options.n_threads,
          .pin_threads = options.pin_threads,
          .kv_type = options.kv_type,
          .activations = options.activations,
          .backend = options.backend};
}

std::size_t common_length(std::span<const TokenId> a, std::span<const TokenId> b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

Scheduler::Impl::Impl(const Model& m, const SchedulerOptions& o)
    : model(m),
      ctx_size(choose_ctx_size(m.impl().config, o.ctx_size)),
      options(checked(o, ctx_size)),
      // A row for each sequence, so that none waits for the others' tokens.
      runner(m, session_options(o), kernels::find(o.backend),
             {.positions = blocks_for(options.kv_tokens) * kBlock,
              .pass_tokens = std::max(options.pass_tokens, options.n_sequences),
              .head_tokens = std::min(options.n_sequences, kMostHeadTokens)}),
      kv(blocks_for(options.kv_tokens)) {}

// How many blocks it will take beside those it has, before it can choose a token.
std::size_t Scheduler::Impl::blocks_wanted(const Running& r) const {
  const std::size_t n = blocks_for(r.sequence->tokens().size());
  return n > r.blocks.size() ? n - r.blocks.size() : 0;
}

void Scheduler::Impl::end_cancelled() {
  if (cancelled.empty()) return;
  const auto is_cancelled = [&](const Sequence& s) { return std::ranges::count(cancelled, s.id()) != 0; };
  for (std::unique_ptr<Sequence>& s : waiting) {
    if (!is_cancelled(*s)) continue;
    s->stop(StopReason::interrupted);
    ended.push_back(std::move(s));
  }
  std::erase(waiting, nullptr);
  for (Running& r : running) {
    if (!is_cancelled(*r.sequence)) continue;
    r.sequence->stop(StopReason::interrupted);
    r.is_over = true;
  }
  cancelled.clear();
  retire();
}

void Scheduler::Impl::admit() {
  std::size_t promised = 0;
  for (const Running& r : running) promised += blocks_wanted(r);
  while (!waiting.empty() && running.size() < options.n_sequences) {
    Running next;
    next.sequence = std::move(waiting.front());
    const std::span<const TokenId> takeable = next.sequence->tokens().first(next.sequence->n_takeable());
    std::size_t wanted = blocks_wanted(next);
    if (options.share_prefixes && wanted > kv.n_available()) {
      // Blocks that somebody holds anyway cost nothing.
      for (const KvBlocks::Block b : kv.find(takeable).blocks) wanted -= kv.is_held(b);
    }
    if (!running.empty() && promised + wanted > kv.n_available()) {
      waiting.front() = std::move(next.sequence);
      return;
    }
    waiting.pop_front();
    promised += wanted;
    next.sequence->start();
    running.push_back(std::move(next));
  }
}

// What there is of a sequence's tokens, and what older sequences are about to run of them.
Scheduler::Impl::Beginning Scheduler::Impl::find_beginning(const Running& r, std::span<const Running> older) {
  const std::span<const TokenId> wanted = r.sequence->tokens().first(r.sequence->n_takeable());
  KvBlocks::Beginning found = kv.find(wanted);
  Beginning beginning{std::move(found.blocks), found.next, found.n_next, 0};
  const std::size_t n_whole = beginning.blocks.size() * kBlock;
  for (const Running& other : older) {
    const std::size_t n_common = common_length(wanted, other.sequence->tokens());
    beginning.n_coming = std::max(beginning.n_coming, n_common);
    const std::size_t n = std::min(n_common, other.sequence->n_run());
    if (n <= n_whole + beginning.n_copied) continue;
    beginning.source = other.blocks[beginning.blocks.size()];
    beginning.n_copied = std::min(n - n_whole, kBlock);
  }
  return beginning;
}

// What others have run of a sequence that begins, or begins again, becomes its own.
void Scheduler::Impl::take_beginning(Running& r, const Beginning& beginning) {
  for (const KvBlocks::Block b : beginning.blocks) {
    kv.hold(b);
    r.blocks.push_back(b);
  }
  r.n_remembered = r.blocks.size();
  std::size_t n_tokens = r.blocks.size() * kBlock;
  if (beginning.source) {
    kv.hold(*beginning.source);  // not to be forgotten for the block that it is copied to
    if (const std::optional<KvBlocks::Block> own = kv.take()) {
      runner.cache.copy(*beginning.source, *own, beginning.n_copied);
      r.blocks.push_back(*own);
      n_tokens += beginning.n_copied;
    }
    kv.release(*beginning.source);
  }
  counts.n_cached_tokens += n_tokens;
  r.sequence->cached(n_tokens);
}

// Has a sequence that runs hold blocks for its next n tokens. False: older ones need them all.
bool Scheduler::Impl::make_room(std::size_t index, std::size_t n_tokens) {
  const std::size_t n_blocks = blocks_for(running[index].sequence->n_run() + n_tokens);
  while (running[index].blocks.size() < n_blocks) {
    if (const std::optional<KvBlocks::Block> block = kv.take()) {
      running[index].blocks.push_back(*block);
    } else if (index + 1 < running.size()) {
      put_back_youngest();
    } else {
      return false;
    }
  }
  return true;
}

void Scheduler::Impl::give_up_blocks(Running& r) {
  const std::size_t n_tail = r.sequence->n_run() % kBlock;
  // What a next turn may begin with.
  if (options.share_prefixes && n_tail > 0) {
    remember_full_blocks(r);
    const std::size_t i = r.n_remembered;
    kv.remember(r.blocks[i], i == 0 ? KvBlocks::kNone : r.blocks[i - 1],
                r.sequence->tokens().subspan(i * kBlock, n_tail));
  }
  for (const KvBlocks::Block b : r.blocks) kv.release(b);
  r.blocks.clear();
  r.n_remembered = 0;
}

void Scheduler::Impl::put_back_youngest() {
  Running& r = running.back();
  give_up_blocks(r);
  r.sequence->put_back();
  waiting.push_front(std::move(r.sequence));
  running.pop_back();
  ++counts.n_put_back;
}

// How many tokens of each sequence the next pass runs: of those that answer one, of prompts as many as there
// is room for.
void Scheduler::Impl::plan() {
  const auto is_answering = [](const Running& r) { return r.sequence->n_left() == 1; };
  const auto n_answering = static_cast<std::size_t>(std::ranges::count_if(running, is_answering));
  const std::size_t most = n_answering == 0 ? options.pass_tokens : options.prompt_tokens_beside;
  std::size_t room = std::min({most, options.pass_tokens, runner.act.max_tokens - n_answering});
  for (std::size_t i = 0; i < running.size(); ++i) {
    running[i].n_planned = 0;
    if (is_answering(running[i])) {
      if (make_room(i, 1)) running[i].n_planned = 1;
      continue;
    }
    const std::span<const Running> older(running.data(), i);
    if (room == 0) continue;
    if (options.share_prefixes && running[i].sequence->n_run() == 0) {
      const Beginning beginning = find_beginning(running[i], older);
      if (beginning.n_coming >= beginning.n_tokens() + kWorthWaiting) continue;
      // One that already has blocks found nothing when it began.
      if (running[i].blocks.empty()) take_beginning(running[i], beginning);
    }
    const std::size_t n = std::min(running[i].sequence->n_left(), room);
    if (!make_room(i, n)) continue;
    running[i].n_planned = n;
    room -= n;
  }
}

void Scheduler::Impl::run_pass() {
  tokens.clear();
  parts.clear();
  by_search.clear();
  from_all.clear();
  for (Running& r : running) {
    if (r.n_planned == 0) continue;
    Sequence& s = *r.sequence;
    const std::span<const TokenId> of_pass = s.tokens().subspan(s.n_run(), r.n_planned);
    parts.push_back({.n_tokens = r.n_planned, .first_position = s.n_run(), .blocks = r.blocks.data()});
    for (std::size_t i = 0; i < r.n_planned; ++i) {
      if (s.is_told_of(s.n_run() + i))
        from_all.push_back({&r, static_cast<std::uint32_t>(tokens.size() + i), true});
    }
    tokens.insert(tokens.end(), of_pass.begin(), of_pass.end());
    if (r.n_planned < s.n_left()) continue;
    if (s.wants_nothing()) {
      r.is_over = true;
      continue;
    }
    const bool is_searched = runner.model.info.head.kind == HeadKind::screened && s.query().has_value();
    (is_searched ? by_search : from_all).push_back({&r, static_cast<std::uint32_t>(tokens.size() - 1)});
  }
  if (tokens.empty()) return;
  runner.forward.run(tokens, parts, [](std::size_t) { return true; });
  ++counts.n_passes;
  for (Running& r : running) {
    if (r.n_planned == 0) continue;
    if (r.sequence->n_run() < r.sequence->n_prompt()) counts.n_prompt_tokens += r.n_planned;
    r.sequence->ran(r.n_planned);
    if (options.share_prefixes) remember_full_blocks(r);
  }
}

void Scheduler::Impl::remember_full_blocks(Running& r) {
  const std::span<const TokenId> all = r.sequence->tokens();
  for (std::size_t& i = r.n_remembered; (i + 1) * kBlock <= r.sequence->n_run(); ++i) {
    const KvBlocks::Block parent = i == 0 ? KvBlocks::kNone : r.blocks[i - 1];
    const KvBlocks::Block kept = kv.remember(r.blocks[i], parent, all.subspan(i * kBlock, kBlock));
    if (kept == r.blocks[i]) continue;
    kv.hold(kept);
    kv.release(std::exchange(r.blocks[i], kept));
  }
}

// What follows each token that nothing of its sequence stands behind.
void Scheduler::Impl::choose() {
  const auto in_groups = [](const std::vector<Choice>& all, std::size_t most, auto work) {
    // What couldn't be searched for is added to the other list meanwhile, and not to this one.
    for (std::size_t i = 0; i < all.size(); i += most) {
      work(std::span(all).subspan(i, std::min(most, all.size() - i)));
    }
  };
  const std::size_t most = runner.act.logits.size() / runner.config.vocab;
  in_groups(by_search, std::min(HeadSearch::kMostTogether, most),
            [&](std::span<const Choice> group) { choose_by_search(group); });
  std::ranges::sort(from_all, {}, &Choice::row);
  in_groups(from_all, most, [&](std::span<const Choice> group) { choose_from_all(group); });
}

void Scheduler::Impl::choose_by_search(std::span<const Choice> group) {
  std::array<std::uint32_t, HeadSearch::kMostTogether> rows;
  std::array<HeadQuery, HeadSearch::kMostTogether> queries;
  std::array<HeadSearch::Found, HeadSearch::kMostTogether> found;
  const std::size_t n = group.size();
  std::ranges::transform(group, rows.begin(), &Choice::row);
  const float* x = runner.forward.head_input(std::span<const std::uint32_t>(rows).first(n));
  const WorkTimer timer(runner.forward.profile, Work::head);
  for (std::size_t i = 0; i < n; ++i) {
    queries[i] = {*group[i].of->sequence->query(), x + i * runner.config.hidden, runner.logits_row(i)};
  }
  runner.search.find(std::span<const HeadQuery>(queries).first(n), std::span(found).first(n));
  for (std::size_t i = 0; i < n; ++i) {
    if (!found[i]) {
      from_all.push_back(group[i]);
      continue;
    }
    took(*group[i].of, group[i].of->sequence->choose(*found[i]));
  }
}

void Scheduler::Impl::choose_from_all(std::span<const Choice> group) {
  std::array<std::uint32_t, kMostHeadTokens> rows;
  std::ranges::transform(group, rows.begin(), &Choice::row);
  runner.forward.logits(std::span<const std::uint32_t>(rows).first(group.size()));
  for (std::size_t i = 0; i < group.size(); ++i) {
    Running& r = *group[i].of;
    if (r.sequence->has_failed()) continue;
    if (!group[i].is_of_prompt) {
      took(r, r.sequence->choose(runner.logits_row(i)));
    } else if (r.sequence->tell(runner.logits_row(i))) {
      r.is_over = true;
    }
  }
}

void Scheduler::Impl::took(Running& r, bool is_over) {
  ++counts.n_generated_tokens;
  r.is_over = is_over;
}

void Scheduler::Impl::retire() {
  for (Running& r : running) {
    if (!r.is_over) continue;
    give_up_blocks(r);
    ended.push_back(std::move(r.sequence));
  }
  std::erase_if(running, [](const Running& r) { return r.sequence == nullptr; });
}

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
  const PinnedThread pinned = s.runner.pool.pin_caller();
  s.end_cancelled();
  s.admit();
  s.plan();
  s.run_pass();
  s.choose();
  s.retire();
  // Last, since what they call may add and cancel.
  const std::vector<std::unique_ptr<Sequence>> ended = std::exchange(s.ended, {});
  for (const std::unique_ptr<Sequence>& sequence : ended) sequence->end();
  return !s.running.empty() || !s.waiting.empty();
}

std::size_t Scheduler::n_running() const { return impl_->running.size(); }
std::size_t Scheduler::n_waiting() const { return impl_->waiting.size(); }
const SchedulerCounts& Scheduler::counts() const { return impl_->counts; }
std::size_t Scheduler::ctx_size() const { return impl_->ctx_size; }
std::size_t Scheduler::n_sequences() const { return impl_->options.n_sequences; }
std::size_t Scheduler::kv_tokens() const { return impl_->kv.size() * kBlock; }
std::size_t Scheduler::kv_tokens_used() const { return impl_->kv.n_held() * kBlock; }
std::size_t Scheduler::kv_bytes() const { return impl_->runner.cache.reserved_bytes(); }
unsigned Scheduler::n_threads() const { return impl_->runner.pool.n_threads(); }
std::string_view Scheduler::backend() const { return impl_->runner.kernels.name; }
ActivationType Scheduler::activations() const { return impl_->runner.activations; }
HeadKind Scheduler::head() const { return impl_->runner.model.info.head.kind; }

}  // namespace bitnet
