// The whole graph against an independent double-precision reference: layer outputs and logits of every
// position, and the greedy continuation. Wrong rope layout, head mapping, activation, norm, sub-norm, scale
// or code order fail here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>

#include "bitnet/session.h"
#include "engine/session_impl.h"
#include "support/golden.h"

namespace bitnet {
namespace {

using test::compare;
using test::Difference;
using test::Golden;
using test::GoldenTensor;

// Positions where one activation code flips between single and double precision, and those after them that
// read the flipped keys and values: in the reference, a value of canary-sum's position 5 stands 1.8e-6 from a
// half before the last layer's output projection, one of random-bitnet-b1.58's position 10 1.1e-7 before the
// first query projection, one of random-qwen3-ptq1_0's position 2 8.9e-7 before the last down projection.
// Everything else must agree to a float's precision.
const std::map<std::string, std::set<std::size_t>> kFlips = {
    {"canary-sum", {5}}, {"random-bitnet-b1.58", {10, 11}}, {"random-qwen3-ptq1_0", {2}}};

// All named intermediates of one pass, chunk by chunk, and the logits.
std::map<std::string, std::vector<float>> trace(const Model& model, const SessionOptions& options,
                                                const std::vector<TokenId>& ids) {
  std::map<std::string, std::vector<float>> out;
  Session session(model, options);
  session.impl().observer = [&](std::string_view name, std::size_t layer, const float* data,
                                std::size_t n_tokens, std::size_t width) {
    const bool of_model = name == "inp_embd" || name == "result_norm";
    const std::string key =
        of_model ? std::string(name) : "blk." + std::to_string(layer) + "." + std::string(name);
    out[key].insert(out[key].end(), data, data + n_tokens * width);
  };
  session.run_all(ids, [&](Position, std::span<const float> logits) {
    out["logits"].insert(out["logits"].end(), logits.begin(), logits.end());
  });
  return out;
}

class GoldenValues : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenValues, EveryLayerAndLogitAgreesWithAnF32Cache) {
  const Golden golden = test::load_golden(GetParam());
  const Model model = Model::load(golden.model);
  const auto ours = trace(model, {.n_threads = 1, .kv_type = KvType::f32}, golden.ids);
  const auto flips = kFlips.contains(golden.name) ? kFlips.at(golden.name) : std::set<std::size_t>{};
  for (const auto& [name, tensor] : golden.tensors) {
    ASSERT_TRUE(ours.contains(name)) << name;
    ASSERT_EQ(ours.at(name).size(), tensor.values.size()) << name;
    for (std::size_t row = 0; row < tensor.rows; ++row) {
      const Difference d =
          compare(&ours.at(name)[row * tensor.cols], &tensor.values[row * tensor.cols], tensor.cols);
      if (flips.contains(row)) {
        EXPECT_GE(d.cosine, 0.999) << name << " position " << row;
      } else {
        EXPECT_GE(d.cosine, 0.999999) << name << " position " << row;
        EXPECT_LT(d.max_abs, 1e-3) << name << " position " << row;
      }
    }
  }
}

TEST_P(GoldenValues, EveryLayerAndLogitStaysCloseWithAnF16Cache) {
  const Golden golden = test::load_golden(GetParam());
  const Model model = Model::load(golden.model);
  const auto ours = trace(model, {.n_threads = 2, .kv_type = KvType::f16}, golden.ids);
  double worst = 1;
  for (const auto& [name, tensor] : golden.tensors) {
    ASSERT_EQ(ours.at(name).size(), tensor.values.size()) << name;
    for (std::size_t row = 0; row < tensor.rows; ++row) {
      const Difference d =
          compare(&ours.at(name)[row * tensor.cols], &tensor.values[row * tensor.cols], tensor.cols);
      worst = std::min(worst, d.cosine);
      EXPECT_GE(d.cosine, 0.998) << name << " position " << row;
    }
  }
  RecordProperty("lowest_cosine", std::to_string(worst));
}

// Where the reference's best two logits are closer together than ten times what rounding moves a logit,
// either may win; those steps are passed over, the reference's token going on. The canary with the f32 cache
// agrees there too.
TEST_P(GoldenValues, GreedyTokensAreTheReferences) {
  const Golden golden = test::load_golden(GetParam());
  const Model model = Model::load(golden.model);
  const GoldenTensor& reference = golden.tensors.at("logits");
  for (const KvType kv : {KvType::f32, KvType::f16}) {
    Session session(model, {.n_threads = 2, .kv_type = kv});
    std::vector<float> logits;
    double largest = 0;
    session.run_all(golden.ids, [&](Position p, std::span<const float> row) {
      logits.assign(row.begin(), row.end());
      const float* want = &reference.values[to_index(p) * reference.cols];
      largest = std::max(largest, compare(row.data(), want, row.size()).max_abs);
    });
    const bool always = golden.name.starts_with("canary") && kv == KvType::f32;
    int compared = 0;
    for (std::size_t i = 0; i < golden.greedy.size(); ++i) {
      if (always || golden.greedy_margin[i] > 10 * largest) {
        const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
        EXPECT_EQ(best, to_int(golden.greedy[i])) << "step " << i;
        ++compared;
      }
      const std::span<const float> next = session.run({&golden.greedy[i], 1});
      logits.assign(next.begin(), next.end());
    }
    RecordProperty(kv == KvType::f32 ? "steps_compared_f32" : "steps_compared_f16", compared);
  }
}

// Without the rounding of activations nothing flips, and single precision is all that is between the two.
class UnquantizedActivations : public ::testing::TestWithParam<std::string> {};

TEST_P(UnquantizedActivations, LogitsAgreeToSinglePrecision) {
  const Golden golden = test::load_golden(GetParam());
  const Model model = Model::load(golden.model);
  const auto ours =
      trace(model, {.n_threads = 2, .kv_type = KvType::f32, .activations = ActivationType::f32}, golden.ids);
  ASSERT_EQ(ours.at("logits").size(), golden.unquantized_logits.size());
  double squares = 0;
  double sum = 0;
  for (const float v : golden.unquantized_logits) {
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  const auto n = static_cast<double>(golden.unquantized_logits.size());
  const double deviation = std::sqrt(squares / n - sum / n * (sum / n));
  const Difference d =
      compare(ours.at("logits").data(), golden.unquantized_logits.data(), golden.unquantized_logits.size());
  EXPECT_LT(d.max_abs, 1e-5 * deviation);
  RecordProperty("largest_difference_in_deviations", std::to_string(d.max_abs / deviation));
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenValues, ::testing::ValuesIn(test::golden_cases()), test_name);
INSTANTIATE_TEST_SUITE_P(Canary, UnquantizedActivations, ::testing::Values("canary-capital"), test_name);
INSTANTIATE_TEST_SUITE_P(Random, UnquantizedActivations, ::testing::ValuesIn(test::random_models()),
                         test_name);

}  // namespace
}  // namespace bitnet
