#include "diagnostics/repeated_test.h"

#include <algorithm>
#include <random>

#include "model/model_impl.h"

namespace bitnet {

void add_times(std::vector<WorkTime>& total, const std::vector<WorkTime>& times) {
  if (total.empty()) {
    total = times;
    return;
  }
  for (std::size_t i = 0; i < total.size(); ++i) total[i].seconds += times[i].seconds;
}

std::string name_of(const BenchmarkTest& test) {
  const std::string kind = test.kind == BenchmarkTest::Kind::prefill ? "pp" : "tg";
  return kind + std::to_string(test.n_tokens) +
         (test.n_sequences == 1 ? "" : "x" + std::to_string(test.n_sequences)) +
         (test.depth == 0 ? "" : "@d" + std::to_string(test.depth)) + (test.is_quoted ? " quoted" : "") +
         (test.draft.max_tokens == 0 ? "" : " draft:" + name_of(test.draft));
}

void add_work(SparseWork& total, const SparseWork& work) {
  total.gates += work.gates;
  total.shut_gates += work.shut_gates;
  total.inputs += work.inputs;
  total.zero_inputs += work.zero_inputs;
  total.up_products += work.up_products;
  total.sparse_up_products += work.sparse_up_products;
  total.down_products += work.down_products;
  total.sparse_down_products += work.sparse_down_products;
}

RepeatedTest::RepeatedTest(const Model& model, const BenchmarkTest& test, ThreadPool& pool)
    : model_(model), test_(test), pool_(pool), pace_(model.impl().weight_memory(), pool) {}

std::vector<TokenId> RepeatedTest::random_tokens(std::size_t n, std::size_t vocab, std::uint64_t sequence) {
  std::mt19937_64 random(1 + sequence);
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < n; ++i) tokens.push_back(TokenId{static_cast<std::int32_t>(random() % vocab)});
  return tokens;
}

void RepeatedTest::add_repetition(const std::optional<ThreadTimes>& before, const Spent& total,
                                  std::size_t n_tokens) {
  std::optional<ThreadTimes> threads = between(before, thread_times());
  if (threads) {
    // Others kept the processors from reading as they did from computing.
    threads->waited *= total.running / threads->ran;
    threads->ran = total.running;
    if (total.running <= 0) threads.reset();
  }
  result_.threads.push_back(threads);
  result_.read_bytes_per_second.push_back(pace_.take());
  result_.rates.push_back(static_cast<double>(n_tokens) / std::max(total.seconds, 1e-9));
}

HeadWork RepeatedTest::head_work(const HeadSearchCounts& counts, std::size_t n_tokens) const {
  const quant::Matrix& w = model_.impl().weights.output;
  const double full_bytes = static_cast<double>(quant::n_bytes_of(w));
  if (counts.searches == 0) return {full_bytes, static_cast<double>(w.rows), w.rows};
  const auto n = static_cast<double>(n_tokens);
  const auto rows = static_cast<double>(counts.full + counts.whole * w.rows);
  return {static_cast<double>(counts.bytes) / n, rows / n, counts.whole > 0 ? w.rows : counts.most_full};
}

}  // namespace bitnet
