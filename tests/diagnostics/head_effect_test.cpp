// The effect of the int8 head, against the same taken by hand from two loaded models and from one row at a
// time.
#include "diagnostics/head_effect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/session.h"
#include "engine/session_impl.h"
#include "model/model_impl.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

const std::string kCanary = std::string(BITNET_MODELS) + "/canary.gguf";

HeadEffect measure(const Model& model) { return measure_int8_head(model, 2).value(); }

// The tokens of the n highest.
std::set<std::size_t> best_of(std::vector<float> row, std::size_t n) {
  std::set<std::size_t> best;
  while (best.size() < n) {
    const auto at = std::ranges::max_element(row);
    best.insert(static_cast<std::size_t>(at - row.begin()));
    *at = -std::numeric_limits<float>::infinity();
  }
  return best;
}

// As --head int8 runs it.
TEST(HeadEffect, IsTheDifferenceOfTheLogitsOfTwoLoadedModels) {
  const Model exact = Model::load(kCanary);
  const HeadEffect effect = measure(exact);
  const Model rounded = Model::load(kCanary, {.head = HeadKind::int8});
  ASSERT_EQ(rounded.info().head.kind, HeadKind::int8);
  EXPECT_EQ(effect.stored_type, "F16");
  EXPECT_EQ(effect.stored_bytes, exact.info().head.stored_bytes);
  EXPECT_EQ(effect.copy_bytes, 1024U * (256 + sizeof(float)));
  EXPECT_TRUE(effect.is_text);
  ASSERT_EQ(effect.sample.size(), 32U);
  EXPECT_EQ(effect.sample.front(), exact.tokenizer().bos());

  const auto stored = logits(exact, effect.sample);
  const auto copied = logits(rounded, effect.sample);
  double max = 0;
  double squares = 0;
  double variance = 0;
  double lowest_cosine = 1;
  std::size_t same_best = 0;
  std::size_t same_ten = 0;
  for (std::size_t t = 0; t < stored.size(); ++t) {
    double mean = 0;
    for (const float v : stored[t]) mean += static_cast<double>(v) / 1024;
    double dot = 0;
    double norm = 0;
    double other_norm = 0;
    for (std::size_t i = 0; i < 1024; ++i) {
      const auto a = static_cast<double>(stored[t][i]);
      const auto b = static_cast<double>(copied[t][i]);
      max = std::max(max, std::abs(a - b));
      squares += (a - b) * (a - b);
      variance += (a - mean) * (a - mean);
      dot += a * b;
      norm += a * a;
      other_norm += b * b;
    }
    lowest_cosine = std::min(lowest_cosine, dot / std::sqrt(norm * other_norm));
    same_best += best_of(stored[t], 1) == best_of(copied[t], 1) ? 1U : 0U;
    same_ten += best_of(stored[t], 10) == best_of(copied[t], 10) ? 1U : 0U;
  }
  const LogitsDifference& d = effect.difference;
  EXPECT_EQ(d.n_positions, 32U);
  EXPECT_GT(d.max_abs, 0);
  EXPECT_DOUBLE_EQ(d.max_abs, max);
  EXPECT_NEAR(d.rms, std::sqrt(squares / (32 * 1024)), 1e-9);
  EXPECT_NEAR(d.deviation, std::sqrt(variance / (32 * 1024)), 1e-9);
  EXPECT_NEAR(d.lowest_cosine, lowest_cosine, 1e-12);
  EXPECT_EQ(d.same_best, same_best);
  EXPECT_EQ(effect.n_best, 10U);
  EXPECT_EQ(d.same_best_set, same_ten);
  EXPECT_LE(d.rms, d.max_abs);
  EXPECT_LT(d.max_abs, d.deviation);
}

// Not the engine's own product and rounding but the words of the format: a row's largest magnitude stands
// for 127.
TEST(HeadEffect, IsThatOfRoundingEachRowToInt8) {
  const Model model = Model::load(kCanary);
  const HeadEffect effect = measure(model);
  Session session(model, {.n_threads = 1});
  std::vector<float> x;
  session.impl().observer = [&](std::string_view name, std::size_t, const float* data, std::size_t n_tokens,
                                std::size_t width) {
    if (name == "result_norm") x.assign(data, data + n_tokens * width);
  };
  const quant::Matrix& head = model.impl().weights.output;
  std::vector<float> row(head.cols);
  double max = 0;
  for (const TokenId id : effect.sample) {
    session.run(std::span(&id, 1));
    ASSERT_EQ(x.size(), head.cols);
    for (std::size_t r = 0; r < head.rows; ++r) {
      quant::info(head.type).decode_row(head, r, row.data());
      double largest = 0;
      for (const float v : row) largest = std::max(largest, std::abs(static_cast<double>(v)));
      double difference = 0;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const auto v = static_cast<double>(row[i]);
        difference += (std::round(v * 127 / largest) * largest / 127 - v) * static_cast<double>(x[i]);
      }
      max = std::max(max, std::abs(difference));
    }
  }
  EXPECT_NEAR(effect.difference.max_abs, max, 1e-2 * max);
}

TEST(HeadEffect, OfAVocabularyThatCannotSpellTheSampleIsTakenFromIdsAcrossIt) {
  const LoadedModel small(SmallModel("llama", {.vocab = 7}));
  const HeadEffect effect = measure(small.model);
  EXPECT_FALSE(effect.is_text);
  ASSERT_EQ(effect.sample.size(), 32U);
  EXPECT_EQ(effect.sample.front(), TokenId{0});
  EXPECT_EQ(effect.sample.back(), TokenId{6});
  EXPECT_EQ(effect.n_best, 7U);
  EXPECT_EQ(effect.difference.same_best_set, 32U);  // the whole vocabulary
}

TEST(HeadEffect, IsTakenFromNoMorePositionsThanTheContextHas) {
  SmallModel small("llama");
  for (const std::uint32_t most : {1U, 9U}) {
    small.set(small.key("context_length"), most);
    const LoadedModel loaded(small);
    EXPECT_EQ(measure(loaded.model).sample.size(), most);
    EXPECT_EQ(measure(loaded.model).difference.n_positions, most);
  }
}

TEST(HeadEffect, OfATernaryHeadIsNone) {
  SmallModel small("llama");
  SmallTensor head{"output.weight", {128, 300}, kI2S, {}};
  head.draw(5);
  small.add(std::move(head));
  const LoadedModel loaded(small);
  const HeadEffect effect = measure(loaded.model);
  EXPECT_TRUE(effect.is_ternary());
  EXPECT_EQ(effect.stored_type, "I2_S");
  EXPECT_TRUE(effect.sample.empty());
  const Finding finding = finding_of(effect);
  EXPECT_EQ(finding.level, FindingLevel::ok);
  EXPECT_TRUE(has(finding.what, "ternary"));
}

TEST(HeadEffect, LeavesOutWhatIsNotFinite) {
  SmallModel small("llama");
  SmallTensor& norm = small.tensor("output_norm.weight");
  norm.set_f32(std::vector<float>(norm.n_elements(), 3e38F));  // what they add up to is none
  const LoadedModel loaded(small);
  const HeadEffect effect = measure(loaded.model);
  EXPECT_EQ(effect.difference.n_positions, 0U);
  EXPECT_TRUE(has(finding_of(effect).what, "not finite"));
}

TEST(HeadEffect, SaysWhatItMeans) {
  HeadEffect effect{.stored_type = "F16",
                    .stored_bytes = 2000,
                    .copy_bytes = 1004,
                    .is_text = true,
                    .sample = std::vector<TokenId>(32),
                    .n_best = 10,
                    .difference = {.n_positions = 32,
                                   .max_abs = 0.25,
                                   .rms = 0.0625,
                                   .deviation = 2,
                                   .lowest_cosine = 0.999,
                                   .same_best = 31,
                                   .same_best_set = 20}};
  const Finding changed = finding_of(effect);
  EXPECT_EQ(changed.level, FindingLevel::note);
  EXPECT_EQ(changed.what, "the best token is the same at 31 of 32 positions, the set of the best 10 at 20");
  EXPECT_TRUE(has(changed.meaning, "0.25 at most"));
  EXPECT_TRUE(has(changed.advice, "--head screened"));
  effect.difference.same_best = 32;
  EXPECT_EQ(finding_of(effect).level, FindingLevel::ok);
  EXPECT_EQ(finding_of(effect).advice, "");
  effect.stored_type = "Q6_K";
  effect.stored_bytes = 820;
  EXPECT_TRUE(has(finding_of(effect).advice, "1.22 times the bytes of the stored Q6_K"));
}

TEST(HeadEffect, StopsWhenTold) {
  const Model model = Model::load(kCanary);
  int n_questions = 0;
  EXPECT_FALSE(measure_int8_head(model, 1, [&] { return ++n_questions < 3; }).has_value());
  EXPECT_EQ(n_questions, 3);
}

}  // namespace
}  // namespace bitnet::test
