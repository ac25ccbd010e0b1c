#include "engine/benchmark.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <random>

#include "bitnet/error.h"
#include "engine/session_impl.h"
#include "model/model_impl.h"

namespace bitnet {
namespace {

// Decoding is in its stride, and every page of the weights touched, after the first token or two.
constexpr std::size_t kWarmUpTokens = 4;

// The same tokens for every test, so that a part of them is a sequence's beginning whichever test made it.
std::vector<TokenId> random_tokens(std::size_t n, std::size_t vocab) {
  std::mt19937_64 random(1);
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < n; ++i) tokens.push_back(TokenId{static_cast<std::int32_t>(random() % vocab)});
  return tokens;
}

// Both give false when stopped.
bool prefill(Session& session, std::span<const TokenId> tokens, const BenchmarkHooks& hooks) {
  return tokens.empty() || !session.run(tokens, hooks.keep_going).empty();
}
bool decode(Session& session, std::span<const TokenId> tokens, const BenchmarkHooks& hooks) {
  for (const TokenId& token : tokens) {
    if (hooks.keep_going && !hooks.keep_going()) return false;
    // As generation does, and as greedy sampling asks for it.
    if (session.head() == HeadKind::screened) {
      session.advance({&token, 1});
      session.candidates({});
    } else {
      session.run({&token, 1});
    }
  }
  return true;
}

// Of n_tokens that were decoded.
HeadWork head_work(const HeadSearchCounts& counts, const quant::Matrix& w, std::size_t n_tokens) {
  const double full_bytes = static_cast<double>(quant::info(w.type).n_bytes(w.rows, w.cols));
  if (counts.searches == 0) return {full_bytes, static_cast<double>(w.rows), w.rows};
  const auto n = static_cast<double>(n_tokens);
  const auto rows = static_cast<double>(counts.full + counts.whole * w.rows);
  return {static_cast<double>(counts.bytes) / n, rows / n, counts.whole > 0 ? w.rows : counts.most_full};
}

// The sequence holds the first `depth` tokens, and what was there of them already is kept.
bool go_to_depth(Session& session, std::span<const TokenId> tokens, const BenchmarkHooks& hooks) {
  const std::size_t present = std::min(to_index(session.position()), tokens.size());
  session.rewind(Position{static_cast<std::int32_t>(present)});
  return prefill(session, tokens.subspan(present), hooks);
}

void add_times(std::vector<WorkTime>& total, std::vector<WorkTime> times) {
  if (total.empty()) return total.swap(times);
  for (std::size_t i = 0; i < total.size(); ++i) total[i].seconds += times[i].seconds;
}

void add_product(WorkPerToken& work, Work kind, const quant::Matrix& w) {
  WorkPerToken::Amount& amount = work.products[static_cast<std::size_t>(kind)];
  amount.weight_bytes += quant::info(w.type).n_bytes(w.rows, w.cols);
  amount.macs += std::uint64_t{w.rows} * w.cols;
}

}  // namespace

std::string name_of(const BenchmarkTest& test) {
  const std::string kind = test.kind == BenchmarkTest::Kind::prefill ? "pp" : "tg";
  return kind + std::to_string(test.n_tokens) + (test.depth == 0 ? "" : "@d" + std::to_string(test.depth));
}

BenchmarkResult run_benchmark(Session& session, const Model& model, const BenchmarkTest& test,
                              std::size_t repetitions, const BenchmarkHooks& hooks) {
  assert(test.n_tokens > 0);
  if (test.depth > session.ctx_size() || test.n_tokens > session.ctx_size() - test.depth) {
    throw UsageError("test " + name_of(test) + " does not fit a context of " +
                     std::to_string(session.ctx_size()) + " tokens; give fewer");
  }
  const bool is_prefill = test.kind == BenchmarkTest::Kind::prefill;
  const auto run = is_prefill ? prefill : decode;
  const std::vector<TokenId> tokens = random_tokens(test.depth + test.n_tokens, model.info().vocab);
  const auto before = std::span(tokens).first(test.depth);
  const auto measured = std::span(tokens).subspan(test.depth);
  const auto warm_up = is_prefill ? measured : measured.first(std::min(kWarmUpTokens, measured.size()));

  if (!go_to_depth(session, before, hooks) || !run(session, warm_up, hooks)) return {};
  BenchmarkResult result;
  session.impl().search.take_counts();
  for (std::size_t i = 0; i < repetitions; ++i) {
    if (hooks.on_repetition) hooks.on_repetition(i);
    if (!go_to_depth(session, before, hooks)) return {};
    session.take_profile();
    const auto start = std::chrono::steady_clock::now();
    if (!run(session, measured, hooks)) return {};
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    result.rates.push_back(static_cast<double>(test.n_tokens) / std::max(seconds.count(), 1e-9));
    add_times(result.profile, session.take_profile());
  }
  if (!is_prefill) {
    result.head = head_work(session.impl().search.take_counts(), model.impl().weights.output,
                            repetitions * test.n_tokens);
  }
  return result;
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

void WorkPerToken::set_head_bytes(std::uint64_t bytes) {
  Amount& head = products[static_cast<std::size_t>(Work::head)];
  weight_bytes += bytes - head.weight_bytes;
  head.weight_bytes = bytes;
}

// The token at position p attends to p + 1 of them; positions run from depth to depth + n_tokens - 1.
double WorkPerToken::kv_bytes_read(const BenchmarkTest& test) const {
  const double positions = static_cast<double>(test.depth) + (static_cast<double>(test.n_tokens) + 1) / 2;
  return positions * static_cast<double>(kv_bytes);
}

WorkPerToken work_per_token(const Model& model, KvType kv_type) {
  const Config& c = model.impl().config;
  const Weights& weights = model.impl().weights;
  const std::size_t element = kv_type == KvType::f16 ? 2 : 4;
  WorkPerToken work;
  work.kv_bytes = std::uint64_t{2} * c.n_layers * c.kv_dim() * element;
  for (const LayerWeights& layer : weights.layers) {
    for (const quant::Matrix* w : {&layer.attn_q, &layer.attn_k, &layer.attn_v})
      add_product(work, Work::qkv, *w);
    add_product(work, Work::attn_output, layer.attn_output);
    for (const quant::Matrix* w : {&layer.ffn_gate, &layer.ffn_up}) add_product(work, Work::gate_up, *w);
    add_product(work, Work::ffn_down, layer.ffn_down);
    const std::size_t norms = 2 * c.hidden + (c.sub_norms ? c.q_dim() + c.ffn : 0);
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
