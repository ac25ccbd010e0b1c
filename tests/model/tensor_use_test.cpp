// What the tensors of an accepted file do: each takes part, in any of the forms it may have.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/generate.h"
#include "model/model_impl.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

// "blk.0.attn_q" of "blk.0.attn_q.weight".
std::string stem_of(const std::string& name) {
  return name.substr(0, name.size() - std::string(".weight").size());
}

// With the LM head in a tensor of its own.
SmallModel untied(SmallModel model, std::uint32_t seed) {
  SmallTensor output = model.tensor("token_embd.weight");
  output.name = "output.weight";
  output.draw(seed);
  return model.add(output);
}

// Values that F16 holds, and their halves too.
std::vector<float> coarse_values(std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(static_cast<int>(i * 37 % 97) - 48) / 64;
  return values;
}

class TensorUse : public ::testing::TestWithParam<const char*> {
 protected:
  SmallModel model{GetParam()};
};

// A tensor that is loaded and not applied (a sub-norm, say) would pass every other check.
TEST_P(TensorUse, EachTensorHasItsPartInTheLogits) {
  for (const SmallModel& m : {model, untied(model, 1)}) {
    const auto before = logits(m);
    for (const SmallTensor& t : m.tensors()) {
      SmallModel changed = m;
      changed.tensor(t.name).draw(12345);
      EXPECT_NE(logits(changed).back(), before.back()) << t.name;
    }
  }
}

TEST_P(TensorUse, TheOrderInTheFileIsFree) {
  const auto want = logits(model);
  SmallModel m = model;
  for (std::size_t i = 0; i < m.tensors().size(); ++i) {  // each ends once where the file ends
    std::rotate(m.tensors().begin(), m.tensors().begin() + 1, m.tensors().end());
    EXPECT_EQ(logits(m), want) << m.tensors().back().name;
  }
}

TEST_P(TensorUse, TrailingDimensionsOfOneChangeNoShape) {
  SmallModel m = model;
  for (SmallTensor& t : m.tensors()) t.dims.resize(4, 1);
  EXPECT_EQ(logits(m), logits(model));
}

TEST_P(TensorUse, ACopyOfTheEmbeddingAsTheHeadChangesNothing) {
  SmallModel m = model;
  SmallTensor output = m.tensor("token_embd.weight");
  output.name = "output.weight";
  m.add(output);
  EXPECT_EQ(logits(m), logits(model));
  EXPECT_FALSE(LoadedModel(m).model.info().tied_output);
}

// Inputs so small that the epsilon of the norms behind the products does not vanish: without it those undo
// any scale.
SmallModel with_small_inputs(SmallModel model) {
  for (SmallTensor& t : model.tensors()) {
    const bool before_products = t.name.ends_with("attn_norm.weight") || t.name.ends_with("ffn_norm.weight");
    if (before_products) t.set_f32(std::vector<float>(t.n_elements(), 0x1p-6F));
  }
  return model;
}

TEST_P(TensorUse, AScaleTensorMultipliesItsTernaryProduct) {
  const SmallModel ternary = with_small_inputs(model);
  const auto want = logits(ternary);
  for (const SmallTensor& t : ternary.tensors()) {
    if (t.type != kI2S) continue;
    SmallModel m = ternary;
    SmallTensor& weight = m.tensor(t.name);
    float scale = 0;
    std::byte* const stored = &weight.data[weight.n_elements() / 4];
    std::memcpy(&scale, stored, sizeof scale);
    scale /= 2;
    std::memcpy(stored, &scale, sizeof scale);
    EXPECT_NE(logits(m), want) << t.name;
    EXPECT_EQ(logits(m.add(f32_tensor(stem_of(t.name) + ".scale", 2.0F))), want) << t.name;
  }
}

TEST_P(TensorUse, AScaleTensorMultipliesItsFloatProduct) {
  SmallModel floats = with_small_inputs(untied(model, 1));
  for (SmallTensor& t : floats.tensors()) {
    if (t.type == kI2S || t.name == "output.weight") t.set_f16(coarse_values(t.n_elements()));
  }
  const auto want = logits(floats);
  for (const SmallTensor& t : floats.tensors()) {
    if (t.is_norm() || t.name == "token_embd.weight") continue;
    SmallModel m = floats;
    std::vector<float> halves = coarse_values(t.n_elements());
    for (float& value : halves) value /= 2;
    m.tensor(t.name).set_f16(halves);
    EXPECT_NE(logits(m), want) << t.name;
    SmallTensor scale = f32_tensor(stem_of(t.name) + ".scale", 2.0F);
    EXPECT_EQ(logits(SmallModel(m).add(scale)), want) << t.name;
    scale.set_f16(std::vector<float>{2.0F});
    EXPECT_EQ(logits(SmallModel(m).add(scale)), want) << t.name;
  }
}

TEST_P(TensorUse, F16AndF32WeightsOfTheSameValuesAreTheSame) {
  for (const SmallTensor& t : model.tensors()) {
    if (t.is_norm()) continue;
    SmallModel f16 = model;
    f16.tensor(t.name).set_f16(coarse_values(t.n_elements()));
    SmallModel f32 = model;
    f32.tensor(t.name).set_f32(coarse_values(t.n_elements()));
    EXPECT_EQ(logits(f16), logits(f32)) << t.name;
  }
}

TEST_P(TensorUse, F16AndF32NormsOfTheSameValuesAreTheSame) {
  SmallModel f16 = model;
  SmallModel f32 = model;
  for (const SmallTensor& t : model.tensors()) {
    if (!t.is_norm()) continue;
    f16.tensor(t.name).set_f16(coarse_values(t.n_elements()));
    f32.tensor(t.name).set_f32(coarse_values(t.n_elements()));
  }
  EXPECT_EQ(logits(f16), logits(f32));
  EXPECT_NE(logits(f32), logits(model));
}

INSTANTIATE_TEST_SUITE_P(Architectures, TensorUse,
                         ::testing::Values("bitnet-b1.58", "bitnet", "llama", "qwen3", "minicpm"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' || c == '.' ? '_' : c;
                           return name;
                         });

TEST(RopeFactors, OfOneChangeNothing) {
  const SmallModel model("llama");
  const std::vector<float> ones(16, 1.0F);
  EXPECT_EQ(logits(SmallModel(model).add(f32_tensor("rope_freqs.weight", ones))), logits(model));
}

TEST(RopeFactors, TurnEveryPositionButTheFirst) {
  const SmallModel model("llama");
  const auto before = logits(model);
  for (std::size_t i = 0; i < 16; ++i) {  // each of them; the last turns a pair by 2e-4 only
    std::vector<float> factors(16, 1.0F);
    factors[i] = 0.0625F;
    const auto after = logits(SmallModel(model).add(f32_tensor("rope_freqs.weight", factors)));
    EXPECT_EQ(after[0], before[0]) << i;
    EXPECT_NE(after[1], before[1]) << i;
    EXPECT_NE(after[2], before[2]) << i;
  }
}

TEST(RopeFactors, DivideTheFrequencies) {
  SmallModel model("llama");
  SmallModel stretched = model;
  stretched.add(f32_tensor("rope_freqs.weight", std::vector<float>(16, 4.0F)));
  const LoadedModel plain(model);
  const LoadedModel slow(stretched);
  const std::vector<double>& base = plain.model.impl().weights.rope.frequency;
  const std::vector<double>& quarter = slow.model.impl().weights.rope.frequency;
  ASSERT_EQ(base.size(), 16U);
  for (std::size_t i = 0; i < base.size(); ++i) EXPECT_EQ(quarter[i], base[i] / 4);
}

TEST(RopeFactors, OutOfRangeOrOfTheWrongNumberAreRefused) {
  for (const float bad : {0.0F, -1.0F, 0.05F, 1e9F, std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    std::vector<float> factors(16, 1.0F);
    factors[3] = bad;
    SmallModel m("llama");
    EXPECT_TRUE(
        is_refused(m.add(f32_tensor("rope_freqs.weight", factors)), {"tensor rope_freqs.weight", "3"}));
  }
  const std::vector<float> too_many(32, 1.0F);
  SmallModel m("llama");
  EXPECT_TRUE(is_refused(m.add(f32_tensor("rope_freqs.weight", too_many)), {"tensor rope_freqs.weight"}));
}

// Reading the whole embedding when a model is loaded would cost more than it is worth: what is not finite
// there is found when it comes out.
TEST(NotFinite, AnEmbeddingLoadsAndItsFirstUseIsRefusedWithItsName) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    SmallModel m = untied(SmallModel("bitnet-b1.58"), 1);
    std::vector<float> values = coarse_values(300 * 128);
    values[5 * 128 + 17] = bad;  // of token 5
    m.tensor("token_embd.weight").set_f16(values);
    const LoadedModel loaded(m);
    Sampler sampler({.temperature = 0.0F}, 300);
    const auto text_after = [&](TokenId id) {
      Session session(loaded.model, {.n_threads = 1});
      std::vector<TokenId> history;
      const std::vector<TokenId> prompt{TokenId{4}, id};
      return generate(loaded.model, session, sampler, history, prompt, {.max_tokens = 1},
                      [](std::string_view) { return true; });
    };
    EXPECT_EQ(text_after(TokenId{6}).tokens.size(), 1U);
    try {
      text_after(TokenId{5});
      FAIL() << "it runs";
    } catch (const ModelError& error) {
      EXPECT_TRUE(has(error.what(), "tensor token_embd.weight: value 657 is not a finite number"));
    }
  }
}

}  // namespace
}  // namespace bitnet::test
