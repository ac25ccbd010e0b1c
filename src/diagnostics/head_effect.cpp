#include "diagnostics/head_effect.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include "base/seconds_since.h"
#include "base/thread_pool.h"
#include "bitnet/error.h"
#include "bitnet/session.h"
#include "engine/session_impl.h"
#include "model/head/head_copy.h"
#include "model/linear.h"
#include "model/model_impl.h"
#include "quant/i8_rows.h"

namespace bitnet {
namespace {

constexpr std::size_t kPositions = 32;
constexpr std::size_t kBest = 10;
constexpr std::size_t kChunk = 8;  // between two questions whether to go on

// Long enough for kPositions tokens of any vocabulary.
constexpr std::string_view kSample =
    "The capital of France is Paris. Once upon a time there was a little girl who lived with her "
    "grandmother in a house at the edge of the forest. What is 3+4? One day she asked why the moon follows "
    "us home, and the old woman laughed: \"Because it is afraid of being alone in the dark.\"";

void take_sample(const Model& model, HeadEffect& effect) {
  const std::size_t most = std::min(kPositions, model.info().context_length);
  const std::size_t vocab = model.info().vocab;
  std::vector<TokenId>& ids = effect.sample;
  try {
    model.require_text();
    ids = model.tokenizer().encode(kSample, {.add_bos = true});
    effect.is_text = true;
  } catch (const ModelError&) {  // made-up weights, whose tokens spell nothing
    for (std::size_t i = 0; i < most; ++i)
      ids.push_back(TokenId{static_cast<std::int32_t>(i * vocab / most)});
  }
  ids.resize(std::min(ids.size(), most));
}

bool all_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float v) { return std::isfinite(v); });
}

// The n highest logits' tokens, ascending; of equal logits the lower ids.
std::vector<std::uint32_t> best_of(std::span<const float> logits, std::size_t n) {
  std::vector<std::uint32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0U);
  const auto outranks = [&](std::uint32_t a, std::uint32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  std::ranges::partial_sort(ids, ids.begin() + static_cast<std::ptrdiff_t>(n), outranks);
  ids.resize(n);
  std::ranges::sort(ids);
  return ids;
}

// Sums over positions, each of [vocab] logits.
class Comparison {
 public:
  explicit Comparison(std::size_t n_best) : n_best_(n_best) {}

  void add(std::span<const float> stored, std::span<const float> copy) {
    if (!all_finite(stored) || !all_finite(copy)) return;
    double sum = 0;
    for (const float v : stored) sum += static_cast<double>(v);
    const double mean = sum / static_cast<double>(stored.size());
    double dot = 0;
    double square = 0;
    double copy_square = 0;
    for (std::size_t i = 0; i < stored.size(); ++i) {
      const auto a = static_cast<double>(stored[i]);
      const auto b = static_cast<double>(copy[i]);
      dot += a * b;
      square += a * a;
      copy_square += b * b;
      squared_difference_ += (a - b) * (a - b);
      squared_deviation_ += (a - mean) * (a - mean);
      out_.max_abs = std::max(out_.max_abs, std::abs(a - b));
    }
    const double norms = std::sqrt(square) * std::sqrt(copy_square);
    const double cosine = norms > 0 ? dot / norms : (square == copy_square ? 1 : 0);
    out_.lowest_cosine = out_.n_positions == 0 ? cosine : std::min(out_.lowest_cosine, cosine);
    out_.same_best += best_of(stored, 1) == best_of(copy, 1) ? 1U : 0U;
    out_.same_best_set += best_of(stored, n_best_) == best_of(copy, n_best_) ? 1U : 0U;
    ++out_.n_positions;
    n_logits_ += static_cast<double>(stored.size());
  }

  LogitsDifference result() const {
    LogitsDifference out = out_;
    if (out.n_positions == 0) return out;
    out.rms = std::sqrt(squared_difference_ / n_logits_);
    out.deviation = std::sqrt(squared_deviation_ / n_logits_);
    return out;
  }

 private:
  std::size_t n_best_;
  LogitsDifference out_;
  double squared_difference_ = 0;
  double squared_deviation_ = 0;
  double n_logits_ = 0;
};

template <typename... Values>
std::string text(const char* format, Values... values) {
  std::array<char, 256> out{};
  std::snprintf(out.data(), out.size(), format, values...);
  return out.data();
}

std::string positions(std::size_t n) { return std::to_string(n) + (n == 1 ? " position" : " positions"); }

}  // namespace

std::optional<HeadEffect> measure_int8_head(const Model& model, unsigned n_threads,
                                            const std::function<bool()>& keep_going) {
  const auto is_stopped = [&] { return keep_going && !keep_going(); };
  const quant::Matrix& head = model.impl().weights.output;
  const quant::TypeInfo& type = quant::info(head.type);
  assert(model.info().head.kind == HeadKind::exact);
  HeadEffect effect{.stored_type = std::string(type.name), .stored_bytes = quant::n_bytes_of(head)};
  if (quant::is_low_bit(head.type)) return effect;

  take_sample(model, effect);
  const std::vector<TokenId>& ids = effect.sample;
  effect.n_best = std::min(kBest, head.rows);
  if (is_stopped()) return std::nullopt;
  Session session(model, {.ctx_size = ids.size(), .n_threads = n_threads, .prefill_chunk = kChunk});
  Session::Impl& impl = session.impl();
  const auto start = std::chrono::steady_clock::now();
  const Int8Head copy(head, impl.pool);
  effect.seconds = seconds_since(start);
  effect.copy_bytes = quant::i8_rows::n_bytes(head.rows, head.cols);

  Comparison comparison(effect.n_best);
  std::vector<float> logits(head.rows);
  const std::array product{Product{copy.matrix, logits.data()}};
  for (std::size_t first = 0; first < ids.size(); first += kChunk) {
    if (is_stopped()) return std::nullopt;
    const auto chunk = std::span(ids).subspan(first, std::min(kChunk, ids.size() - first));
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
  Finding f{.level = FindingLevel::note, .topic = "int8 head", .what = {}, .meaning = {}, .advice = {}};
  const LogitsDifference& d = e.difference;
  if (e.is_ternary()) {
    f.level = FindingLevel::ok;
    f.what = "the head is ternary (" + e.stored_type + ")";
    f.meaning = "it is used as it is, with --head int8 too: the logits stay the same bits";
    return f;
  }
  if (d.n_positions == 0) {
    f.what = "the logits of the sample are not finite";
    f.meaning =
        "there is nothing to compare: weights of this model, or what they add up to, are NaN or too large";
    return f;
  }
  if (d.same_best == d.n_positions) f.level = FindingLevel::ok;
  f.what = "the best token is the same at " + std::to_string(d.same_best) + " of " +
           positions(d.n_positions) + ", the set of the best " + std::to_string(e.n_best) + " at " +
           std::to_string(d.same_best_set);
  f.meaning = text(
      "with --head int8 a logit is off by %.3g at most and %.2g in the mean (RMS), where the logits of a "
      "position have a standard deviation of %.3g; ",
      d.max_abs, d.rms, d.deviation);
  f.meaning += d.same_best == d.n_positions
                   ? "greedy text changes only where two tokens are nearly tied"
                   : "greedy text goes another way where the best tokens are closer together than that";
  const double saved = 1 - static_cast<double>(e.copy_bytes) / static_cast<double>(e.stored_bytes);
  if (saved < 0.1) {
    f.advice = text("leave --head int8 off: the copy has %.2f times the bytes of the stored %s head",
                    1 - saved, e.stored_type.c_str());
  } else if (d.same_best != d.n_positions) {
    f.advice =
        "if the text must be that of the stored head, use --head screened or exact, which give the same bits";
  }
  return f;
}

}  // namespace bitnet
