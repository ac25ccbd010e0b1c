#include "diagnostics/kv_effect.h"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "bitnet/session.h"
#include "engine/session_impl.h"

namespace bitnet {

std::optional<KvEffect> measure_q8_cache(const Model& model, unsigned n_threads,
                                         const std::function<bool()>& keep_going) {
  const std::size_t vocab = model.info().vocab;
  KvEffect effect{.sample = take_sample(model, kLongestSample), .n_best = std::min(kBestCompared, vocab)};
  const std::vector<TokenId>& ids = effect.sample.ids;
  SessionOptions options{.ctx_size = ids.size(), .n_threads = n_threads, .prefill_chunk = kSampleChunk};
  Session f16(model, options);
  options.kv_type = KvType::q8;
  Session q8(model, options);
  effect.f16_bytes = f16.impl().cache.bytes_per_position();
  effect.q8_bytes = q8.impl().cache.bytes_per_position();

  LogitsComparison comparison(effect.n_best);
  std::vector<float> logits(std::min(kSampleChunk, ids.size()) * vocab);
  for (std::size_t first = 0; first < ids.size(); first += kSampleChunk) {
    if (keep_going && !keep_going()) return std::nullopt;
    const auto chunk = std::span(ids).subspan(first, std::min(kSampleChunk, ids.size() - first));
    const auto row_of = [&](Position position) {
      return std::span(logits).subspan((to_index(position) - first) * vocab, vocab);
    };
    f16.run_all(chunk, [&](Position position, std::span<const float> row) {
      std::ranges::copy(row, row_of(position).begin());
    });
    q8.run_all(chunk,
               [&](Position position, std::span<const float> row) { comparison.add(row_of(position), row); });
  }
  effect.difference = comparison.result();
  return effect;
}

Finding finding_of(const KvEffect& e) {
  Finding f = finding_of("q8 cache", "--kv-type q8", e.difference, e.n_best);
  const bool is_worse = e.difference.same_best != e.difference.n_positions;
  if (is_worse) f.advice = "if the text must be that of the f16 cache, leave --kv-type q8 off";
  return f;
}

}  // namespace bitnet
