#include "diagnostics/logits_difference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <string_view>
#include <utility>

#include "base/all_finite.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

// Long enough for kLongestSample tokens of any vocabulary.
constexpr std::string_view kSample =
    "The capital of France is Paris. Once upon a time there was a little girl who lived with her "
    "grandmother in a house at the edge of the forest. What is 3+4? One day she asked why the moon follows "
    "us home, and the old woman laughed: \"Because it is afraid of being alone in the dark.\" "
    "The girl thought about this for a long time. Then she took a lamp and went out, so that the moon would "
    "have company on its way. There were 12 steps down to the well and 7 trees beside the path; she counted "
    "them twice, because her brother had told her that numbers change at night. They did not. At the last "
    "tree an owl sat and looked at her. \"Good evening,\" said the girl. \"That depends,\" answered the owl, "
    "\"on what you are looking for.\"";

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

}  // namespace

void LogitsComparison::add(std::span<const float> first, std::span<const float> second) {
  if (!all_finite(first) || !all_finite(second)) return;
  double sum = 0;
  for (const float v : first) sum += static_cast<double>(v);
  const double mean = sum / static_cast<double>(first.size());
  double dot = 0;
  double square = 0;
  double second_square = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const auto a = static_cast<double>(first[i]);
    const auto b = static_cast<double>(second[i]);
    dot += a * b;
    square += a * a;
    second_square += b * b;
    squared_difference_ += (a - b) * (a - b);
    squared_deviation_ += (a - mean) * (a - mean);
    out_.max_abs = std::max(out_.max_abs, std::abs(a - b));
  }
  const double norms = std::sqrt(square) * std::sqrt(second_square);
  const double cosine = norms > 0 ? dot / norms : (square == second_square ? 1 : 0);
  out_.lowest_cosine = out_.n_positions == 0 ? cosine : std::min(out_.lowest_cosine, cosine);
  out_.same_best += best_of(first, 1) == best_of(second, 1) ? 1U : 0U;
  out_.same_best_set += best_of(first, n_best_) == best_of(second, n_best_) ? 1U : 0U;
  ++out_.n_positions;
  n_logits_ += static_cast<double>(first.size());
}

LogitsDifference LogitsComparison::result() const {
  LogitsDifference out = out_;
  if (out.n_positions == 0) return out;
  out.rms = std::sqrt(squared_difference_ / n_logits_);
  out.deviation = std::sqrt(squared_deviation_ / n_logits_);
  return out;
}

std::string describe(const LogitsDifference& d) {
  std::array<char, 256> out{};
  std::snprintf(out.data(), out.size(),
                "a logit is off by %.3g at most and %.2g in the mean (RMS), where the logits of a position "
                "have a standard deviation of %.3g",
                d.max_abs, d.rms, d.deviation);
  return out.data();
}

std::string same_best(const LogitsDifference& d, std::size_t n_best) {
  return "the best token is the same at " + std::to_string(d.same_best) + " of " +
         std::to_string(d.n_positions) + (d.n_positions == 1 ? " position" : " positions") +
         ", the set of the best " + std::to_string(n_best) + " at " + std::to_string(d.same_best_set);
}

Finding finding_of(std::string topic, std::string_view option, const LogitsDifference& d,
                   std::size_t n_best) {
  Finding f{.level = FindingLevel::note, .topic = std::move(topic), .what = {}, .meaning = {}, .advice = {}};
  if (d.n_positions == 0) {
    f.what = "the logits of the sample are not finite";
    f.meaning = kNothingToCompare;
    return f;
  }
  f.what = same_best(d, n_best);
  f.meaning = "with " + std::string(option) + " " + describe(d) + "; ";
  if (d.same_best == d.n_positions) {
    f.level = FindingLevel::ok;
    f.meaning += "greedy text changes only where two tokens are nearly tied";
  } else {
    f.meaning += "greedy text goes another way where the best tokens are closer together than that";
  }
  return f;
}

LogitsSample take_sample(const Model& model, std::size_t most) {
  LogitsSample sample;
  const std::size_t n = std::min(most, model.info().context_length);
  const std::size_t vocab = model.info().vocab;
  try {
    model.require_text();
    sample.ids = model.tokenizer().encode(kSample, {.add_bos = true});
    sample.is_text = true;
  } catch (const ModelError&) {  // made-up weights, whose tokens spell nothing
    for (std::size_t i = 0; i < n; ++i)
      sample.ids.push_back(TokenId{static_cast<std::int32_t>(i * vocab / n)});
  }
  sample.ids.resize(std::min(sample.ids.size(), n));
  return sample;
}

}  // namespace bitnet
