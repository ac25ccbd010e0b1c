// Models in the types of ik_llama.cpp whose rows have a scale each.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/half.h"
#include "quant/file_types.h"
#include "support/block_types.h"
#include "support/inspected.h"
#include "support/row_scaled_types.h"
#include "support/small_model.h"

namespace bitnet::test {
namespace {

class RowScaledModel : public ::testing::TestWithParam<std::uint32_t> {};

INSTANTIATE_TEST_SUITE_P(Types, RowScaledModel, ::testing::Values(kIq2Bn, kIq2BnR4, kIq1Bn),
                         [](const auto& i) { return std::string(quant::find_type(i.param)->name); });

std::vector<std::int8_t> draw_trits(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::int8_t> trits(n);
  for (std::int8_t& trit : trits) trit = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
  return trits;
}

// The same in Q2_0: blocks of 64 with an f16 scale before sixteen bytes of four codes.
std::vector<std::byte> pack_q2_0(std::span<const std::int8_t> trits, std::span<const float> scales) {
  std::vector<std::byte> bytes;
  const std::size_t cols = trits.size() / scales.size();
  for (std::size_t at = 0; at < trits.size(); at += 4) {
    if (at % 64 == 0) {
      const std::uint16_t d = f32_to_f16(scales[at / cols]);
      bytes.push_back(static_cast<std::byte>(d & 0xFF));
      bytes.push_back(static_cast<std::byte>(d >> 8));
    }
    unsigned codes = 0;
    for (unsigned k = 0; k < 4; ++k) codes |= static_cast<unsigned>(trits[at + k] + 1) << (2 * k);
    bytes.push_back(static_cast<std::byte>(codes));
  }
  return bytes;
}

TEST_P(RowScaledModel, OfOneScaleATensorGivesTheBitsOfI2S) {
  for (const char* architecture : {"bitnet-b1.58", "llama", "qwen3"}) {
    SmallModel in_i2s(architecture);
    SmallModel m(architecture);
    unsigned seed = 0;
    for (SmallTensor& t : m.tensors()) {
      if (t.type != kI2S) continue;
      const auto trits = draw_trits(t.n_elements(), ++seed);
      in_i2s.tensor(t.name).set_i2s(trits, 0.125F);
      std::vector<float> scales(t.dims[1], 0.125F);
      t.type = GetParam();
      t.data = pack_row_scaled(GetParam(), trits, scales);
    }
    // With what comes on top of a tensor's own scale.
    for (SmallModel* model : {&m, &in_i2s}) model->add(f32_tensor("blk.0.ffn_down.scale", 0.75F));
    EXPECT_EQ(logits(m), logits(in_i2s)) << architecture;
  }
}

TEST_P(RowScaledModel, OfAScaleForEachRowGivesTheBitsOfQ20) {
  const SmallShape shape{.hidden = 192, .heads = 3, .kv_heads = 3, .ffn = 320};
  SmallModel in_q2_0("llama", shape);
  SmallModel m("llama", shape);
  unsigned seed = 0;
  for (SmallTensor& t : m.tensors()) {
    if (t.type != kI2S) continue;
    const auto trits = draw_trits(t.n_elements(), ++seed);
    std::vector<float> scales(t.dims[1]);
    for (std::size_t r = 0; r < scales.size(); ++r) scales[r] = static_cast<float>(1 + r % 37) / 128.0F;
    SmallTensor& other = in_q2_0.tensor(t.name);
    other.type = kQ2_0;
    other.data = pack_q2_0(trits, scales);
    t.type = GetParam();
    t.data = pack_row_scaled(GetParam(), trits, scales);
  }
  EXPECT_EQ(logits(m), logits(in_q2_0));
}

// Rows that are no whole groups of I2_S, with one scale that is no f16 number.
TEST_P(RowScaledModel, OfOneScaleATensorNeedsNoRowsOf128) {
  const SmallShape shape{.hidden = 192, .heads = 3, .kv_heads = 3, .ffn = 320};
  SmallModel m("llama", shape);
  SmallModel in_q2_0("llama", shape);
  unsigned seed = 0;
  for (SmallTensor& t : m.tensors()) {
    if (t.type != kI2S) continue;
    const auto trits = draw_trits(t.n_elements(), ++seed);
    const float scale = GetParam() == kIq1Bn ? f16_to_f32(f32_to_f16(0.0123F)) : 0.0123F;
    SmallTensor& other = in_q2_0.tensor(t.name);
    other.type = kQ2_0;
    other.data = pack_q2_0(trits, std::vector<float>(t.dims[1], 1.0F));
    in_q2_0.add(f32_tensor(t.name.substr(0, t.name.size() - 6) + "scale", scale));
    t.type = GetParam();
    t.data = pack_row_scaled(GetParam(), trits, std::vector<float>(t.dims[1], scale));
  }
  EXPECT_EQ(logits(m), logits(in_q2_0));
}

// One that is only looked up may have any scales.
TEST_P(RowScaledModel, MayHaveAnEmbeddingWithAScaleForEachRow) {
  SmallModel m("llama");
  SmallTensor head = m.tensor("token_embd.weight");
  head.name = "output.weight";
  m.add(head);
  SmallModel in_f32 = m;
  SmallTensor& t = m.tensor("token_embd.weight");
  const auto trits = draw_trits(t.n_elements(), 3);
  std::vector<float> scales(t.dims[1]);
  std::vector<float> values(t.n_elements());
  for (std::size_t r = 0; r < scales.size(); ++r) {
    scales[r] = 0.1F * static_cast<float>(1 + r % 7);
    // A group of four is copied, to blocks of f16.
    if (GetParam() != kIq2Bn) scales[r] = f16_to_f32(f32_to_f16(scales[r]));
    for (std::size_t i = 0; i < t.dims[0]; ++i)
      values[r * t.dims[0] + i] = scales[r] * trits[r * t.dims[0] + i];
  }
  in_f32.tensor("token_embd.weight").set_f32(values);
  t.type = GetParam();
  t.data = pack_row_scaled(GetParam(), trits, scales);
  EXPECT_EQ(logits(m), logits(in_f32));
}

// An embedding that is the head as well, with rows of zeros whose scale is 0.
TEST_P(RowScaledModel, MayHaveItsEmbeddingInThemToo) {
  SmallModel in_i2s("bitnet-b1.58", {.vocab = 300});
  SmallModel m("bitnet-b1.58", {.vocab = 300});
  SmallTensor& t = m.tensor("token_embd.weight");
  auto trits = draw_trits(t.n_elements(), 3);
  const std::size_t cols = t.dims[0];
  std::vector<float> scales(t.dims[1], 0.5F);
  for (const std::size_t row : {0U, 7U, 299U}) {
    std::fill_n(trits.begin() + static_cast<std::ptrdiff_t>(row * cols), cols, std::int8_t{0});
    scales[row] = 0;
  }
  in_i2s.tensor(t.name).set_i2s(trits, 0.5F);
  t.type = GetParam();
  t.data = pack_row_scaled(GetParam(), trits, scales);
  EXPECT_EQ(logits(m), logits(in_i2s));
}

TEST_P(RowScaledModel, IsToldByInspect) {
  SmallModel m("llama");
  SmallTensor& t = m.tensor("blk.0.ffn_up.weight");
  const auto trits = draw_trits(t.n_elements(), 3);
  t.type = GetParam();
  t.data = pack_row_scaled(GetParam(), trits, std::vector<float>(t.dims[1], 0.25F));
  const Inspection in = inspect_small(m);
  EXPECT_TRUE(in.is_usable()) << in.refusal.value_or("");
  const auto found = std::ranges::find(in.tensors, t.name, &TensorSummary::name);
  EXPECT_EQ(found->type, quant::find_type(GetParam())->name);
  EXPECT_EQ(found->bytes, t.data.size());
  EXPECT_EQ(found->range->max, 0.25F);
  const auto zeros = static_cast<double>(std::ranges::count(trits, std::int8_t{0}));
  EXPECT_EQ(found->zero_rate, zeros / static_cast<double>(trits.size()));
}

TEST_P(RowScaledModel, IsRefusedWhereItIsDamagedOrCutShort) {
  SmallModel m("llama");
  SmallTensor& t = m.tensor("blk.0.ffn_up.weight");
  const auto trits = draw_trits(t.n_elements(), 3);
  std::vector<float> scales(t.dims[1], 0.25F);
  scales[6] = std::numeric_limits<float>::quiet_NaN();
  t.type = GetParam();
  t.data = pack_row_scaled(GetParam(), trits, scales);
  EXPECT_TRUE(
      is_refused(m, {"tensor blk.0.ffn_up.weight: row 6 holds the code 3", "or a scale that is not finite"}));
  scales[6] = 0.25F;
  t.data = pack_row_scaled(GetParam(), trits, scales);
  SmallTensor head{.name = "output.weight", .dims = {128, 300}, .type = GetParam(), .data = {}};
  head.data = pack_row_scaled(GetParam(), draw_trits(head.n_elements(), 4), std::vector<float>(300, 1.0F));
  head.data.resize(head.data.size() - 64);
  m.add(head);
  EXPECT_TRUE(is_refused(m, {"tensor output.weight: needs "}));
}

TEST(RowScaledModels, WhoseScaleOverflowsWithTheTensorsOwnIsRefused) {
  SmallModel m("llama");
  SmallTensor& t = m.tensor("blk.1.attn_k.weight");
  t.type = kIq2Bn;
  t.data = pack_row_scaled(kIq2Bn, draw_trits(t.n_elements(), 3), std::vector<float>(t.dims[1], 1e30F));
  m.add(f32_tensor("blk.1.attn_k.scale", 1e30F));
  EXPECT_TRUE(is_refused(m, {"tensor blk.1.attn_k.weight: ", "is not a finite number"}));
}

TEST(RowScaledModels, OfDifferingScalesThatAreNoF16IsRefusedByItsTensor) {
  SmallModel m("llama");
  SmallTensor& t = m.tensor("blk.1.attn_k.weight");
  std::vector<float> scales(t.dims[1], 0.1F);
  t.type = kIq2Bn;
  t.data = pack_row_scaled(kIq2Bn, draw_trits(t.n_elements(), 3), scales);
  EXPECT_TRUE(loads(m));
  scales[3] = 0.3F;
  t.data = pack_row_scaled(kIq2Bn, draw_trits(t.n_elements(), 3), scales);
  EXPECT_TRUE(is_refused(m, {"tensor blk.1.attn_k.weight: the scales of its rows differ", "--type q2_0"}));
}

}  // namespace
}  // namespace bitnet::test
