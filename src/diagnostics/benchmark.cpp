#include "diagnostics/benchmark.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cmath>
#include <random>
#include <utility>

#include "base/seconds_since.h"
#include "bitnet/error.h"
#include "engine/kv_type.h"
#include "engine/session_impl.h"
#include "model/model_impl.h"

namespace bitnet {
namespace {

// Decoding is in its stride, and every page of the weights touched, after the first token or two.
constexpr std::size_t kWarmUpTokens = 4;
// Of decoding before the memory's speed is looked at. Others' use of it changes within some milliseconds.
constexpr double kStretchSeconds = 0.005;
// Of n_of equal parts of w, n_used are multiplied.
void add_product(WorkPerToken& work, Work kind, const quant::Matrix& w, std::size_t n_used = 1,
                 std::size_t n_of = 1) {
  WorkPerToken::Amount& amount = work.products[static_cast<std::size_t>(kind)];
  amount.weight_bytes += quant::n_bytes_of(w) / n_of * n_used;
  amount.macs += std::uint64_t{w.rows} * w.cols / n_of * n_used;
}

}  // namespace

Benchmark::Benchmark(Session& session, const Model& model, const BenchmarkTest& test, HeadKind head,
                     std::function<bool()> keep_going)
    : RepeatedTest(model, test, session.impl().pool),
      session_(session),
      head_(head),
      keep_going_(std::move(keep_going)) {
  assert(test.n_tokens > 0 && test.n_sequences == 1);
  if (test.depth > session.ctx_size() || test.n_tokens > session.ctx_size() - test.depth) {
    throw UsageError("test " + name_of(test) + " does not fit a context of " +
                     std::to_string(session.ctx_size()) + " tokens; give fewer");
  }
  tokens_ = random_tokens(test.depth + test.n_tokens, model.info().vocab);
  if (!test.is_quoted) return;
  if (test.depth < 2 || test.kind != BenchmarkTest::Kind::decode) {
    throw UsageError("test " + name_of(test) + " has nothing to quote; give it a depth of 2 or more");
  }
  for (std::size_t i = 0; i < test.n_tokens; ++i) {
    if (i % BenchmarkTest::kQuotedUntil != BenchmarkTest::kQuotedUntil - 1) {
      tokens_[test.depth + i] = tokens_[i % test.depth];
    }
  }
}

bool Benchmark::warm_up() {
  const auto measured = std::span(tokens_).subspan(test_.depth);
  const bool is_prefill = test_.kind == BenchmarkTest::Kind::prefill;
  auto some = is_prefill ? measured : measured.first(std::min(kWarmUpTokens, measured.size()));
  Spent spent;
  bool done = go_to_depth();
  for (; done && !some.empty(); some = some.subspan(is_prefill ? some.size() : 1)) {
    done = run_stretch(is_prefill ? some : some.first(1), spent) > 0;
  }
  session_.impl().search.take_counts();
  result_.draft = {};
  return done;
}

bool Benchmark::repeat() {
  if (!go_to_depth()) return false;
  session_.take_profile();
  session_.take_sparse_work();
  const std::optional<ThreadTimes> before = thread_times();
  const bool is_prefill = test_.kind == BenchmarkTest::Kind::prefill;
  const double share = is_prefill ? kReadingShare / 2 : kReadingShare;
  if (is_prefill) pace_.read_for(share * prefill_running_);
  Spent total;
  for (auto left = std::span<const TokenId>(tokens_).subspan(test_.depth); !left.empty();) {
    Spent spent;
    const std::size_t n = run_stretch(left, spent);
    if (n == 0) return false;
    pace_.read_for(share * spent.running);
    total.seconds += spent.seconds;
    total.running += spent.running;
    left = left.subspan(n);
  }
  add_repetition(before, total, test_.n_tokens);
  add_times(result_.profile, session_.take_profile());
  add_work(result_.sparse, session_.take_sparse_work());
  return true;
}

BenchmarkResult Benchmark::take_result() {
  if (test_.kind == BenchmarkTest::Kind::decode) {
    result_.head = head_work(session_.impl().search.take_counts(), result_.rates.size() * test_.n_tokens);
  }
  result_.activations = session_.activations();
  return std::exchange(result_, {});
}

// As generation does, and as greedy sampling asks for it.
void Benchmark::read_head(std::size_t n_back) {
  if (head_ == HeadKind::screened) {
    session_.candidates({}, n_back);
  } else {
    session_.logits(n_back);
  }
}

// Runs the first of the tokens and a draft of the others; gives how many of them it had right, the first
// included, which the sequence then holds. 0: keep_going said no.
std::size_t Benchmark::decode_pass(std::span<const TokenId> tokens) {
  if (keep_going_ && !keep_going_()) return 0;
  std::array<TokenId, 1 + DraftOptions::kMostTokens> pass{tokens[0]};
  std::size_t n_draft = 0;
  DraftPace& pace = session_.impl().draft_pace;
  if (index_) {
    index_->push(tokens[0]);
    const DraftMatch match = index_->find();
    const std::size_t most = std::min({test_.draft.max_tokens, tokens.size() - 1, session_.max_pass() - 1});
    if (match.length > 0) n_draft = test_.draft.adaptive ? pace.plan(match.length, most) : most;
    if (n_draft > 0) index_->copy(match, std::span(pass).subspan(1, n_draft));
  }
  const auto start = std::chrono::steady_clock::now();
  session_.advance(std::span(pass).first(1 + n_draft));
  std::size_t n = 0;
  for (bool is_right = true; is_right;) {
    read_head(n_draft - n);
    const std::size_t row = n++;
    if (index_ && n < tokens.size()) {
      const DraftMatch match = index_->find();
      if (match.length > 0) pace.saw_guess(match.length, index_->token(match.next) == tokens[n]);
    }
    is_right = row < n_draft && pass[n] == tokens[n];
    if (is_right) index_->push(tokens[n]);
  }
  session_.take_back(n_draft + 1 - n);
  pace.saw_pass(n_draft + 1, seconds_since(start), n);
  ++result_.draft.n_passes;
  result_.draft.n_drafted += n_draft;
  result_.draft.n_accepted += n - 1;
  return n;
}

// How many of the tokens were run: all of a prefill; 0: keep_going said no.
std::size_t Benchmark::run_stretch(std::span<const TokenId> tokens, Spent& spent) {
  const double running = pool_.processor_seconds();
  const auto start = std::chrono::steady_clock::now();
  std::size_t n = 0;
  if (test_.kind == BenchmarkTest::Kind::prefill) {
    if (session_.run(tokens, keep_going_).empty()) return 0;
    n = tokens.size();
  } else {
    do {
      const std::size_t n_right = decode_pass(tokens.subspan(n));
      if (n_right == 0) return 0;
      n += n_right;
    } while (n < tokens.size() && seconds_since(start) < kStretchSeconds);
  }
  spent = {.seconds = seconds_since(start), .running = pool_.processor_seconds() - running};
  if (test_.kind == BenchmarkTest::Kind::prefill) prefill_running_ = spent.running;
  return n;
}

// The sequence then holds the first `depth` tokens; what was there of them already is kept.
bool Benchmark::go_to_depth() {
  const std::size_t present = std::min(to_index(session_.position()), test_.depth);
  session_.rewind(Position{static_cast<std::int32_t>(present)});
  const auto missing = std::span(tokens_).subspan(present, test_.depth - present);
  if (test_.draft.max_tokens > 0) {
    index_.emplace(tokens_.size());
    for (const TokenId id : std::span(tokens_).first(test_.depth)) index_->push(id);
  }
  return missing.empty() || !session_.run(missing, keep_going_).empty();
}

Statistics statistics_of(std::span<const double> values) {
  assert(!values.empty());
  const auto n = static_cast<double>(values.size());
  Statistics s;
  for (const double value : values) s.mean += value / n;
  for (const double value : values) s.deviation += (value - s.mean) * (value - s.mean);
  s.deviation = values.size() > 1 ? std::sqrt(s.deviation / (n - 1)) : 0;

  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const std::size_t middle = sorted.size() / 2;
  s.median = sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return s;
}

void WorkPerToken::share_passes(double passes_per_token, bool is_of_one_sequence) {
  const auto share = [&](std::uint64_t& bytes) {
    bytes = static_cast<std::uint64_t>(passes_per_token * static_cast<double>(bytes));
  };
  const std::uint64_t head_bytes = products[static_cast<std::size_t>(Work::head)].weight_bytes;
  weight_bytes -= head_bytes;
  share(weight_bytes);
  weight_bytes += head_bytes;
  for (std::size_t kind = 0; kind < products.size(); ++kind) {
    if (static_cast<Work>(kind) != Work::head) share(products[kind].weight_bytes);
  }
  if (is_of_one_sequence) share(kv_bytes);
}

void WorkPerToken::set_head_bytes(std::uint64_t bytes) {
  Amount& head = products[static_cast<std::size_t>(Work::head)];
  weight_bytes += bytes - head.weight_bytes;
  head.weight_bytes = bytes;
}

void WorkPerToken::leave_out(const SparseWork& sparse) {
  const auto ratio = [](std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  const auto take_off = [&](Work kind, double share) {
    std::uint64_t& bytes = products[static_cast<std::size_t>(kind)].weight_bytes;
    const auto left_out = static_cast<std::uint64_t>(share * static_cast<double>(bytes));
    bytes -= left_out;
    weight_bytes -= left_out;
  };
  // Gates are half of the one.
  take_off(Work::gate_up,
           ratio(sparse.sparse_up_products, sparse.up_products) * ratio(sparse.shut_gates, sparse.gates) / 2);
  take_off(Work::ffn_down, ratio(sparse.sparse_down_products, sparse.down_products) *
                               ratio(sparse.zero_inputs, sparse.inputs));
}

// The token at position p attends to p + 1 of them; positions run from depth to depth + n_tokens - 1.
double WorkPerToken::kv_bytes_read(const BenchmarkTest& test) const {
  const double positions = static_cast<double>(test.depth) + (static_cast<double>(test.n_tokens) + 1) / 2;
  return positions * static_cast<double>(kv_bytes);
}

WorkPerToken work_per_token(const Model& model, KvType kv_type) {
  const Config& c = model.impl().config;
  const Weights& weights = model.impl().weights;
  WorkPerToken work;
  work.kv_bytes = std::uint64_t{2} * c.n_layers * c.n_kv_heads *
                  kernels::cache_row_bytes(cache_type(kv_type), c.head_dim);
  for (const LayerWeights& layer : weights.layers) {
    for (const quant::Matrix* w : {&layer.attn_q, &layer.attn_k, &layer.attn_v})
      add_product(work, Work::qkv, *w);
    add_product(work, Work::attn_output, layer.attn_output);
    const std::size_t n_of = std::max<std::size_t>(1, c.n_experts);
    const std::size_t n_used = std::max<std::size_t>(1, c.n_experts_used);
    if (c.n_experts > 0) add_product(work, Work::router, layer.ffn_router);
    for (const quant::Matrix* w : {&layer.ffn_gate, &layer.ffn_up})
      add_product(work, Work::gate_up, *w, n_used, n_of);
    add_product(work, Work::ffn_down, layer.ffn_down, n_used, n_of);
    std::size_t norms = 2 * c.hidden + (c.sub_norms ? c.q_dim() + c.ffn : 0);
    if (layer.attn_q_norm != nullptr) norms += 2 * c.head_dim;
    work.weight_bytes += norms * sizeof(float);
  }
  for (const WorkPerToken::Amount& product : work.products) work.layer_macs += product.macs;
  add_product(work, Work::head, weights.output);
  work.head_macs = work.products[static_cast<std::size_t>(Work::head)].macs;
  work.weight_bytes += c.hidden * sizeof(float);
  for (const WorkPerToken::Amount& product : work.products) work.weight_bytes += product.weight_bytes;
  return work;
}

}  // namespace bitnet
