// The effect of the int8 cache, against the same taken by hand from two sessions.
#include "diagnostics/kv_effect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bitnet/session.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

std::string canary_file() { return std::string(BITNET_MODELS) + "/canary.gguf"; }

TEST(KvEffect, IsTheDifferenceOfTheLogitsOfTwoSessions) {
  const Model model = Model::load(canary_file());
  const KvEffect effect = measure_q8_cache(model, 2).value();
  EXPECT_TRUE(effect.sample.is_text);
  ASSERT_EQ(effect.sample.ids.size(), kLongestSample);
  EXPECT_EQ(effect.q8_bytes * 2 - effect.f16_bytes,
            model.info().n_layers * 2 * model.info().n_kv_heads * 2 * sizeof(float));

  std::vector<std::vector<float>> rows;
  Session f16(model, {.n_threads = 1});
  f16.run_all(effect.sample.ids,
              [&](Position, std::span<const float> row) { rows.emplace_back(row.begin(), row.end()); });
  Session q8(model, {.n_threads = 1, .kv_type = KvType::q8});
  double max = 0;
  double squares = 0;
  std::size_t same_best = 0;
  q8.run_all(effect.sample.ids, [&](Position position, std::span<const float> row) {
    const std::vector<float>& want = rows.at(to_index(position));
    for (std::size_t i = 0; i < row.size(); ++i) {
      const double d = static_cast<double>(row[i]) - static_cast<double>(want[i]);
      max = std::max(max, std::abs(d));
      squares += d * d;
    }
    const auto best = [](std::span<const float> r) { return std::ranges::max_element(r) - r.begin(); };
    same_best += best(row) == best(want) ? 1U : 0U;
  });
  const LogitsDifference& d = effect.difference;
  EXPECT_EQ(d.n_positions, kLongestSample);
  EXPECT_DOUBLE_EQ(d.max_abs, max);
  EXPECT_NEAR(d.rms, std::sqrt(squares / static_cast<double>(kLongestSample * model.info().vocab)), 1e-9);
  EXPECT_EQ(d.same_best, same_best);
  EXPECT_GT(d.max_abs, 0);
  EXPECT_LT(d.rms, 0.1 * d.deviation);  // it is another rounding, and not another model
}

TEST(KvEffect, LeavesOutWhatIsNotFinite) {
  SmallModel small("llama");
  SmallTensor& norm = small.tensor("output_norm.weight");
  norm.set_f32(std::vector<float>(norm.n_elements(), 3e38F));  // what they add up to is none
  const LoadedModel loaded(small);
  const KvEffect effect = measure_q8_cache(loaded.model, 1).value();
  EXPECT_EQ(effect.difference.n_positions, 0U);
  EXPECT_TRUE(has(finding_of(effect).what, "not finite"));
}

TEST(KvEffect, SaysWhatItMeans) {
  KvEffect effect{.f16_bytes = 2048,
                  .q8_bytes = 1056,
                  .sample = {.is_text = true, .ids = std::vector<TokenId>(128)},
                  .n_best = 10,
                  .difference = {.n_positions = 128,
                                 .max_abs = 0.25,
                                 .rms = 0.0625,
                                 .deviation = 2,
                                 .lowest_cosine = 0.999,
                                 .same_best = 127,
                                 .same_best_set = 100}};
  const Finding changed = finding_of(effect);
  EXPECT_EQ(changed.level, FindingLevel::note);
  EXPECT_EQ(changed.what,
            "the best token is the same at 127 of 128 positions, the set of the best 10 at 100");
  EXPECT_TRUE(has(changed.meaning, "with --kv-type q8 a logit is off by 0.25 at most"));
  EXPECT_TRUE(has(changed.advice, "--kv-type q8"));
  effect.difference.same_best = 128;
  EXPECT_EQ(finding_of(effect).level, FindingLevel::ok);
  EXPECT_EQ(finding_of(effect).advice, "");
}

TEST(KvEffect, StopsWhenTold) {
  const Model model = Model::load(canary_file());
  int n_questions = 0;
  EXPECT_FALSE(measure_q8_cache(model, 1, [&] { return ++n_questions < 3; }).has_value());
  EXPECT_EQ(n_questions, 3);
}

}  // namespace
}  // namespace bitnet::test
