#include "diagnostics/head_effect.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cstdio>
#include <span>
#include <utility>
#include <vector>

#include "base/seconds_since.h"
#include "base/thread_pool.h"
#include "bitnet/session.h"
#include "engine/session_impl.h"
#include "model/head/head_copy.h"
#include "model/linear.h"
#include "model/model_impl.h"
#include "quant/i8_rows.h"

namespace bitnet {
namespace {

constexpr std::size_t kPositions = 32;

template <typename... Values>
std::string text(const char* format, Values... values) {
  std::array<char, 256> out{};
  std::snprintf(out.data(), out.size(), format, values...);
  return out.data();
}

}  // namespace

std::optional<HeadEffect> measure_int8_head(const Model& model, unsigned n_threads,
                                            const std::function<bool()>& keep_going) {
  const auto is_stopped = [&] { return keep_going && !keep_going(); };
  const quant::Matrix& head = model.impl().weights.output;
  const quant::TypeInfo& type = quant::info(head.type);
  assert(model.info().head.kind == HeadKind::exact);
  HeadEffect effect{.stored_type = std::string(type.name), .stored_bytes = quant::n_bytes_of(head)};
  if (quant::is_low_bit(head.type)) return effect;

  LogitsSample sample = take_sample(model, kPositions);
  effect.is_text = sample.is_text;
  effect.sample = std::move(sample.ids);
  const std::vector<TokenId>& ids = effect.sample;
  effect.n_best = std::min(kBestCompared, head.rows);
  if (is_stopped()) return std::nullopt;
  Session session(model, {.ctx_size = ids.size(), .n_threads = n_threads, .prefill_chunk = kSampleChunk});
  Session::Impl& impl = session.impl();
  const auto start = std::chrono::steady_clock::now();
  const Int8Head copy(head, impl.pool);
  effect.seconds = seconds_since(start);
  effect.copy_bytes = quant::i8_rows::n_bytes(head.rows, head.cols);

  LogitsComparison comparison(effect.n_best);
  std::vector<float> logits(head.rows);
  const std::array product{Product{copy.matrix, logits.data()}};
  for (std::size_t first = 0; first < ids.size(); first += kSampleChunk) {
    if (is_stopped()) return std::nullopt;
    const auto chunk = std::span(ids).subspan(first, std::min(kSampleChunk, ids.size() - first));
    session.run_all(chunk, [&](Position position, std::span<const float> stored) {
      // The input of the head is still there: a chunk's positions are its rows.
      multiply(impl.kernels, impl.pool, product, ActivationType::int8, impl.act.normed,
               to_index(position) - first, 1);
      comparison.add(stored, logits);
    });
  }
  effect.difference = comparison.result();
  return effect;
}

Finding finding_of(const HeadEffect& e) {
  const std::string topic = "int8 head";
  if (e.is_ternary()) {
    return {.level = FindingLevel::ok,
            .topic = topic,
            .what = "the head is ternary (" + e.stored_type + ")",
            .meaning = "it is used as it is, with --head int8 too: the logits stay the same bits",
            .advice = {}};
  }
  Finding f = finding_of(topic, "--head int8", e.difference, e.n_best);
  if (e.difference.n_positions == 0) return f;
  const double saved = 1 - static_cast<double>(e.copy_bytes) / static_cast<double>(e.stored_bytes);
  if (saved < 0.1) {
    f.advice = text("leave --head int8 off: the copy has %.2f times the bytes of the stored %s head",
                    1 - saved, e.stored_type.c_str());
  } else if (e.difference.same_best != e.difference.n_positions) {
    f.advice =
        "if the text must be that of the stored head, use --head screened or exact, which give the same bits";
  }
  return f;
}

}  // namespace bitnet
