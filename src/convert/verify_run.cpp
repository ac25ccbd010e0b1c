#include "convert/verify_run.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "bitnet/error.h"
#include "bitnet/session.h"

namespace bitnet::convert {
namespace {

PromptRun run(const Model& model, std::vector<TokenId> ids, bool is_text, unsigned n_threads,
              const std::function<bool()>& keep_going) {
  PromptRun out{.is_text = is_text, .ids = std::move(ids), .vocab = model.info().vocab, .logits = {}};
  Session session(model, {.ctx_size = out.ids.size(), .n_threads = n_threads});
  out.activations = session.activations();
  for (std::size_t first = 0; first < out.ids.size(); first += kSampleChunk) {
    if (keep_going && !keep_going()) throw RuntimeError("the comparison of runs was ended by request");
    const auto chunk = std::span(out.ids).subspan(first, std::min(kSampleChunk, out.ids.size() - first));
    session.run_all(chunk, [&](Position, std::span<const float> logits) {
      out.logits.insert(out.logits.end(), logits.begin(), logits.end());
    });
  }
  return out;
}

}  // namespace

PromptRun run_prompt(const Model& model, const std::string& prompt, unsigned n_threads,
                     const std::function<bool()>& keep_going) {
  bool is_text = true;
  std::vector<TokenId> ids;
  try {
    model.require_text();
    ids = model.tokenizer().encode(prompt, {.add_bos = true});
  } catch (const ModelError&) {
    is_text = false;
    ids = take_sample(model, kLongestSample).ids;
  }
  ids.resize(std::min({ids.size(), kLongestSample, model.info().context_length}));
  if (ids.empty()) throw UsageError("--verify-run: a prompt of at least one token is needed");
  return run(model, std::move(ids), is_text, n_threads, keep_going);
}

PromptRun run_again(const Model& model, const PromptRun& earlier, unsigned n_threads,
                    const std::function<bool()>& keep_going) {
  return run(model, earlier.ids, earlier.is_text, n_threads, keep_going);
}

RunComparison compare_runs(const PromptRun& before, const PromptRun& after) {
  RunComparison result{.is_text = before.is_text,
                       .n_tokens = before.ids.size(),
                       .n_best = std::min(kBestCompared, before.vocab),
                       .before = before.activations,
                       .after = after.activations};
  result.is_identical =
      std::memcmp(before.logits.data(), after.logits.data(), before.logits.size() * sizeof(float)) == 0;
  LogitsComparison comparison(result.n_best);
  for (std::size_t i = 0; i < result.n_tokens; ++i) {
    comparison.add(std::span(before.logits).subspan(i * before.vocab, before.vocab),
                   std::span(after.logits).subspan(i * before.vocab, before.vocab));
  }
  result.difference = comparison.result();
  return result;
}

}  // namespace bitnet::convert
