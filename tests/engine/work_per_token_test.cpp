// The work of a decode step depends on the new token and, in attention only, on its position. Counted, not
// timed.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "model/forward.h"
#include "model/model_impl.h"

namespace bitnet {
namespace {

struct Counts {
  std::size_t ternary_rows = 0;
  std::size_t float_rows = 0;
  std::size_t norms = 0;
  std::size_t keys = 0;  // read by attention, per query head

  bool operator==(const Counts&) const = default;
};
Counts g_work;

// The scalar kernels, counting what they are asked for.
kernels::Kernels counting_kernels() {
  static const kernels::Kernels& scalar = kernels::find("scalar");
  kernels::Kernels k = scalar;
  k.matmul_ternary = [](const quant::Matrix& w, std::size_t begin, std::size_t end,
                        const kernels::QuantizedRows& x, std::size_t n, const kernels::OutputRows& y) {
    g_work.ternary_rows += (end - begin) * n;
    scalar.matmul_ternary(w, begin, end, x, n, y);
  };
  k.matmul_float = [](const quant::Matrix& w, std::size_t begin, std::size_t end, const kernels::FloatRows& x,
                      std::size_t n, const kernels::OutputRows& y) {
    g_work.float_rows += (end - begin) * n;
    scalar.matmul_float(w, begin, end, x, n, y);
  };
  k.rms_norm = [](const float* x, const float* weight, float eps, std::size_t n, float* y) {
    ++g_work.norms;
    scalar.rms_norm(x, weight, eps, n, y);
  };
  k.attention_f16 = [](const kernels::Attention& a) {
    g_work.keys += a.n_queries * a.n_keys;
    scalar.attention_f16(a);
  };
  return k;
}

class WorkPerToken : public ::testing::Test {
 protected:
  static constexpr std::size_t kTokens = 32;

  Model model = Model::load(std::string(BITNET_MODELS) + "/canary.gguf");
  const Config& config = model.impl().config;
  const kernels::Kernels counting = counting_kernels();
  ThreadPool pool{1};
  KvCache cache{config, 128, kernels::CacheType::f16};
  Activations act{config, kTokens, {}};
  Observer none;
  Forward forward{config, model.impl().weights, counting, pool, cache, act, none};
};

TEST_F(WorkPerToken, GrowsWithThePositionInAttentionAlone) {
  const Config& c = config;
  const TokenId token{42};
  for (std::size_t position = 0; position < 128; ++position) {
    g_work = {};
    forward.run({&token, 1}, position);
    forward.logits(0, 1);
    const Counts want{.ternary_rows = c.n_layers * (c.q_dim() + 2 * c.kv_dim() + 2 * c.hidden + 2 * c.ffn),
                      .float_rows = c.vocab,
                      .norms = c.n_layers * 4 + 1,
                      .keys = c.n_layers * c.n_heads * (position + 1)};
    ASSERT_EQ(g_work, want) << "position " << position;
  }
}

TEST_F(WorkPerToken, APromptsHeadIsComputedForTheLastPositionOnly) {
  const std::vector<TokenId> tokens(kTokens, TokenId{7});
  g_work = {};
  forward.run(tokens, 0);
  EXPECT_EQ(g_work.float_rows, 0U);
  forward.logits(kTokens - 1, 1);
  EXPECT_EQ(g_work.float_rows, config.vocab);
}

}  // namespace
}  // namespace bitnet
