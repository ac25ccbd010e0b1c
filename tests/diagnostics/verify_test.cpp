// verify passes on this build, and fails on a table with any one kernel broken, saying which.
#include "diagnostics/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <vector>

#include "diagnostics/trace.h"
#include "diagnostics/verify_suite.h"
#include "support/canary.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet {
namespace {

using test::has;

using kernels::Kernels;

// Tests take the fastest table for the specification: what is looked at here is what verify makes of
// differences.
const Kernels& good() { return kernels::find("auto"); }

Model model_named(const std::string& name) {
  return Model::load(std::string(BITNET_TEST_DATA) + "/models/" + name + ".gguf");
}

const Model& random_model() {
  static const Model model = model_named("random-bitnet-b1.58");
  return model;
}

// The least that a float can be wrong by.
void nudge(float& x) { x = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) ^ 1U); }

Kernels renamed() {
  Kernels table = good();
  table.name = "broken";
  return table;
}

// Wrong in row 17, in decoding alone, by one bit.
void matmul_ternary_wrong_in_decode(const quant::Matrix& w, std::size_t begin, std::size_t end,
                                    const kernels::QuantizedRows& x, std::size_t n_tokens,
                                    const kernels::OutputRows& y) {
  good().matmul_ternary(w, begin, end, x, n_tokens, y);
  if (n_tokens == 1 && begin <= 17 && 17 < end) nudge(y.y[17]);
}

VerifyReport verify_broken(const Model& model, const Kernels& broken) {
  const std::array<const Kernels*, 2> tables{&good(), &broken};
  return &model == &test::canary() ? verify_canary(model, tables) : verify_model(model, tables, 2);
}

const VerifyFailure* failure_of(const VerifyReport& report, const std::string& part) {
  const auto found = std::ranges::find_if(
      report.failures, [&](const VerifyFailure& f) { return f.where.find(part) != std::string::npos; });
  return found == report.failures.end() ? nullptr : &*found;
}

TEST(VerifyCanary, KnowsEnoughPromptsByHeart) {
  const std::array<const Kernels*, 1> tables{&good()};
  std::vector<double> progress;
  VerifyHooks hooks;
  hooks.on_progress = [&](double fraction) { progress.push_back(fraction); };
  const VerifyReport report = verify_canary(test::canary(), tables, hooks);
  EXPECT_TRUE(report.complete);
  EXPECT_TRUE(std::ranges::is_sorted(progress));
  EXPECT_EQ(progress.back(), 1);
  EXPECT_GE(verify_suite().size(), 20U);
  ASSERT_EQ(report.prompts.size(), verify_suite().size());
  for (std::size_t i = 0; i < report.prompts.size(); ++i) {
    const SuiteResult& got = report.prompts[i];
    const SuitePrompt& expected = verify_suite()[i];
    EXPECT_EQ(got.answer, expected.answer) << got.prompt;
    EXPECT_EQ(got.f16_digest, expected.f16_digest) << got.prompt;
    EXPECT_EQ(got.f32_digest, expected.f32_digest) << got.prompt;
    EXPECT_EQ(got.q8_digest, expected.q8_digest) << got.prompt;
    EXPECT_FALSE(expected.answer.empty()) << got.prompt;
  }
  ASSERT_EQ(report.steps.size(), verify_steps().size());
  for (std::size_t i = 0; i < report.steps.size(); ++i) {
    EXPECT_EQ(report.steps[i].digest, verify_steps()[i]) << report.steps[i].step;
    EXPECT_NE(meaning_of(report.steps[i].step), "") << report.steps[i].step;
  }
  EXPECT_EQ(report.n_failed(), 0U);
  EXPECT_TRUE(report.failures.empty());
}

TEST(VerifyCanary, FindsAKernelThatIsWrongByOneBit) {
  Kernels broken = renamed();
  broken.matmul_ternary = matmul_ternary_wrong_in_decode;
  const VerifyReport report = verify_broken(test::canary(), broken);
  EXPECT_TRUE(report.complete);
  for (const VerifyRow& row : report.rows) {
    EXPECT_EQ(row.n_failed > 0, row.backend == "broken") << row.backend << ": " << row.check;
    EXPECT_GT(row.n_checks, 0U) << row.check;
  }
  ASSERT_FALSE(report.failures.empty());
  const VerifyFailure& step = report.failures[0];
  EXPECT_EQ(step.backend, "broken");
  EXPECT_EQ(step.chunk, 1U);
  EXPECT_EQ(step.where, "step blk.0.q");
  EXPECT_TRUE(has(step.what, "the product that makes queries in layer 0"));
  const VerifyFailure& prompt = report.failures[1];
  EXPECT_EQ(prompt.backend, "broken");
  EXPECT_EQ(prompt.n_threads, 1U);
  EXPECT_EQ(prompt.chunk, 1U);
  EXPECT_EQ(prompt.where, "f16 cache, prompt \"" + std::string(verify_suite()[0].prompt) + "\"");
  EXPECT_TRUE(has(prompt.what, "digest"));
  EXPECT_TRUE(has(prompt.what, ", from position "));
}

// With SiLU in place of relu^2 in every backend most answers stay what they are.
TEST(VerifyCanary, NamesTheStepThatHardlyChangesAnAnswer) {
  Kernels broken = renamed();
  broken.relu2_mul = good().silu_mul;
  const std::array<const Kernels*, 1> tables{&broken};
  const VerifyReport report = verify_canary(test::canary(), tables);
  std::size_t n_same_answers = 0;
  for (std::size_t i = 0; i < report.prompts.size(); ++i) {
    n_same_answers += report.prompts[i].answer == verify_suite()[i].answer;
    EXPECT_NE(report.prompts[i].f16_digest, verify_suite()[i].f16_digest) << report.prompts[i].prompt;
  }
  EXPECT_EQ(n_same_answers, 25U);
  ASSERT_FALSE(report.failures.empty());
  const VerifyFailure& step = report.failures.front();
  EXPECT_EQ(step.where, "step blk.0.ffn_act");
  EXPECT_TRUE(step.what.starts_with(
      "the first step that gives other values: the gate's activation in layer 0 (digest "))
      << step.what;
  EXPECT_TRUE(step.what.ends_with("; all 14 before it are right")) << step.what;
  const VerifyFailure* prompt = failure_of(report, "prompt \"");
  ASSERT_NE(prompt, nullptr);
  EXPECT_TRUE(prompt->what.starts_with("the answer is right and the logits are not: their digest is "))
      << prompt->what;
}

TEST(VerifyCanary, FindsWhatOnlyTheOtherCacheTypesUse) {
  Kernels broken = renamed();
  broken.attention_f32 = [](const kernels::Attention& a) {
    good().attention_f32(a);
    nudge(a.out[0]);
  };
  broken.attention_q8 = [](const kernels::Attention& a) {
    good().attention_q8(a);
    nudge(a.out[0]);
  };
  const VerifyReport report = verify_broken(test::canary(), broken);
  for (const VerifyRow& row : report.rows) {
    const bool is_f16 = row.check.find("f16 cache") != std::string::npos;
    EXPECT_EQ(row.n_failed > 0, row.backend == "broken" && !is_f16) << row.backend << ": " << row.check;
  }
}

TEST(VerifyCanary, ReportsAWrongAnswer) {
  Kernels broken = renamed();
  broken.relu2_mul = [](float* gate, const float*, std::size_t n) { std::fill_n(gate, n, 0.0F); };
  const VerifyReport report = verify_broken(test::canary(), broken);
  const VerifyFailure* prompt = failure_of(report, "prompt \"");
  ASSERT_NE(prompt, nullptr);
  EXPECT_NE(prompt->what.find("\" where \" Paris.\" is right; "), std::string::npos) << prompt->what;
}

TEST(VerifyCanary, StopsWhenTold) {
  int n_questions = 0;
  const std::array<const Kernels*, 1> tables{&good()};
  VerifyHooks hooks;
  hooks.keep_going = [&] { return ++n_questions < 5; };
  EXPECT_FALSE(verify_canary(test::canary(), tables, hooks).complete);
  EXPECT_EQ(n_questions, 5);
}

TEST(VerifyModel, PassesWithEqualTables) {
  const Kernels same = renamed();
  double last = 0;
  VerifyHooks hooks;
  hooks.on_progress = [&](double fraction) {
    EXPECT_GE(fraction, last);
    EXPECT_LE(fraction, 1);
    last = fraction;
  };
  const std::array<const Kernels*, 2> tables{&good(), &same};
  const VerifyReport report = verify_model(random_model(), tables, 2, hooks);
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.n_failed(), 0U);
  EXPECT_GT(report.n_checks(), 50U);
  EXPECT_GE(report.rows.size(), 10U);  // every kernel, and the passes
}

// Bounds that are too low: rows that reach the best go unseen.
void estimate_rows_too_low(const kernels::Estimator& with, const kernels::DigitSums& sums, const float* scale,
                           const float* error, const float* norm, std::size_t n, kernels::Estimates* out) {
  good().estimate_rows(with, sums, scale, error, norm, n, out);
  for (std::size_t i = 0; i < n; ++i) out->bound[i] = -1e30F;
  out->highest = -1e30F;
}

TEST(VerifyModel, HoldsTheScreenedHeadAgainstAllLogits) {
  const test::SmallModel small("minicpm", {.vocab = 1001});
  const test::AlignedBytes file = small.build();
  const Model model = Model::from_bytes(file.span(), "m.gguf", {.head = HeadKind::screened});
  const Kernels same = renamed();
  EXPECT_EQ(verify_broken(model, same).n_failed(), 0U);
  Kernels broken = renamed();
  broken.estimate_rows = estimate_rows_too_low;
  const VerifyReport report = verify_broken(model, broken);
  EXPECT_NE(failure_of(report, "the highest logits"), nullptr);
  EXPECT_TRUE(std::ranges::any_of(report.rows, [](const VerifyRow& row) {
    return row.check == "best logits by the screened head" && row.n_failed > 0;
  }));
}

TEST(VerifyModel, NamesTheTensorAndTheRow) {
  Kernels broken = renamed();
  broken.matmul_ternary = matmul_ternary_wrong_in_decode;
  const VerifyReport report = verify_broken(random_model(), broken);
  const VerifyFailure* failure = failure_of(report, "blk.0.attn_q.weight");
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->backend, "broken");
  EXPECT_TRUE(failure->what.starts_with("row 17, token 0 of 1: gives ")) << failure->what;
  const VerifyFailure* passes = failure_of(report, "token ");  // of the prefill and decode
  ASSERT_NE(passes, nullptr);
  EXPECT_EQ(passes->n_threads, 2U);
  EXPECT_EQ(passes->what, "its logits are not those of " + std::string(good().name));
}

struct Break {
  const char* kernel;
  const char* row;  // of the summary
  void (*apply)(Kernels&);
  const char* model = "random-bitnet-b1.58";
};

class VerifyModelFinds : public ::testing::TestWithParam<Break> {};

TEST_P(VerifyModelFinds, ABrokenKernel) {
  Kernels broken = renamed();
  GetParam().apply(broken);
  const VerifyReport report = verify_broken(model_named(GetParam().model), broken);
  for (const VerifyRow& row : report.rows) {
    if (row.check == GetParam().row) {
      EXPECT_GT(row.n_failed, 0U);
    }
  }
  EXPECT_GT(report.n_failed(), 0U);
  EXPECT_FALSE(report.failures.empty());
}

template <auto member>
void nudge_elementwise(Kernels& k) {
  k.*member = [](float* x, const float* y, std::size_t n) {
    (good().*member)(x, y, n);
    nudge(x[n - 1]);
  };
}

template <auto member>
void nudge_rope(Kernels& k) {
  k.*member = [](float* x, const float* cos, const float* sin, std::size_t n) {
    (good().*member)(x, cos, sin, n);
    nudge(x[n / 2]);
  };
}

template <auto member>
void nudge_attention(Kernels& k) {
  k.*member = [](const kernels::Attention& a) {
    (good().*member)(a);
    if (a.n_keys == 65) nudge(a.out[a.n_queries * a.head_dim - 1]);
  };
}

template <auto member>
void nudge_product(Kernels& k) {
  k.*member = [](const quant::Matrix& w, std::size_t begin, std::size_t end, const kernels::FloatRows& x,
                 std::size_t n_tokens, const kernels::OutputRows& y) {
    (good().*member)(w, begin, end, x, n_tokens, y);
    if (end == w.rows) nudge(y.y[(n_tokens - 1) * y.stride + end - 1]);
  };
}

const Break kBreaks[] = {
    {"ForTernaryProductsInDecoding", "ternary product, int8",
     [](Kernels& k) { k.matmul_ternary = matmul_ternary_wrong_in_decode; }},
    {"ForTernaryProductsOfFloats", "ternary product, f32", nudge_product<&Kernels::matmul_ternary_f32>},
    {"ForFloatProducts", "float product", nudge_product<&Kernels::matmul_float>},
    {"ForTernaryDecoding", "ternary decoding",
     [](Kernels& k) {
       k.decode_ternary = [](const quant::Matrix& w, std::size_t row, std::size_t begin, std::size_t end,
                             float* out) {
         good().decode_ternary(w, row, begin, end, out);
         if (row == w.rows - 1) out[end - 1] += 1;
       };
     }},
    {"ForRmsNorm", "RMSNorm",
     [](Kernels& k) {
       k.rms_norm = [](const float* x, const float* weight, float eps, std::size_t n, float* y) {
         good().rms_norm(x, weight, eps, n, y);
         nudge(y[n - 1]);
       };
     }},
    {"ForQuantization", "quantization",
     [](Kernels& k) {
       k.quantize = [](const float* x, std::size_t n, std::size_t padded_n, std::int8_t* q, float* scale,
                       std::int32_t* sum) {
         good().quantize(x, n, padded_n, q, scale, sum);
         *sum += 1;
       };
     }},
    {"ForProductsInLanes", "product in lanes, int8",
     [](Kernels& k) {
       k.matmul_lanes = [](const quant::Matrix& w, std::size_t begin, std::size_t end,
                           const kernels::QuantizedBlocks& x, std::size_t n_tokens,
                           const kernels::OutputRows& y) {
         good().matmul_lanes(w, begin, end, x, n_tokens, y);
         if (end == w.rows) nudge(y.y[(n_tokens - 1) * y.stride + end - 1]);
       };
     },
     "random-qwen3-q2_0"},
    {"ForProductsInLanesOfFloats", "product in lanes, f32", nudge_product<&Kernels::matmul_lanes_f32>,
     "random-qwen3-q2_0"},
    {"ForBlockQuantization", "quantization",
     [](Kernels& k) {
       k.quantize_blocks = [](const float* x, std::size_t n, std::size_t block, std::size_t padded_n,
                              const kernels::QuantizedRow& to) {
         good().quantize_blocks(x, n, block, padded_n, to);
         nudge(to.unit[0]);
       };
     },
     "random-qwen3-q2_0"},
    {"ForAddition", "elementwise", nudge_elementwise<&Kernels::add>},
    {"ForSquaredRelu", "elementwise", nudge_elementwise<&Kernels::relu2_mul>},
    {"ForSilu", "elementwise", nudge_elementwise<&Kernels::silu_mul>},
    {"ForExp", "elementwise",
     [](Kernels& k) {
       k.exp = [](const float* x, float* y, std::size_t n) {
         good().exp(x, y, n);
         nudge(y[0]);
       };
     }},
    {"ForStoringHalfs", "elementwise",
     [](Kernels& k) {
       k.store_f16 = [](const float* x, std::uint16_t* y, std::size_t n) {
         good().store_f16(x, y, n);
         y[n - 1] ^= 1U;
       };
     }},
    {"ForRopeNeox", "rope", nudge_rope<&Kernels::rope_neox>},
    {"ForRopeNorm", "rope", nudge_rope<&Kernels::rope_norm>},
    {"ForAttentionToF16", "attention", nudge_attention<&Kernels::attention_f16>},
    {"ForAttentionToF32", "attention", nudge_attention<&Kernels::attention_f32>},
};

INSTANTIATE_TEST_SUITE_P(Kernels, VerifyModelFinds, ::testing::ValuesIn(kBreaks),
                         [](const auto& info) { return std::string(info.param.kernel); });

}  // namespace
}  // namespace bitnet
