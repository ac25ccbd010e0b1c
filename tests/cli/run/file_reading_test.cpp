// bitnet run with files that do not say all that their logits depend on.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <span>

#include "cli/runner.h"
#include "support/parse_json.h"
#include "support/small_model.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

const Args kRun{"run", "-p", "The capital of France is", "-n", "4"};

TempFile canary_in(I2sLayout layout) {
  const std::string text = content_of(BITNET_MODELS "/canary.gguf");
  const AlignedBytes aligned(std::as_bytes(std::span(text)));
  return TempFile(in_i2s_layout(aligned.span(), layout));
}

ChildResult run_with(const std::string& model, const Args& more) {
  ChildResult result = run_bitnet(with(with(kRun, {"-m", model}), more));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result;
}

TEST(RunOfAnI2sLayout, IsRightAndSaysWhatItTook) {
  const TempFile x86 = canary_in(I2sLayout::x86);
  const ChildResult right = run_with(x86.path(), {"-v"});
  EXPECT_TRUE(has(right.err, "I2_S layout x86: agreement of norm weights"));
  EXPECT_TRUE(lacks(right.err, "--i2s-layout"));
  const std::string text = right.out;
  for (const auto& [layout, name] :
       {std::pair{I2sLayout::arm, "arm"}, std::pair{I2sLayout::rows4, "rows4"}}) {
    const TempFile file = canary_in(layout);
    const ChildResult told = run_with(file.path(), {});
    EXPECT_EQ(told.out, text);
    EXPECT_TRUE(has(told.err, std::string("its I2_S tensors are in the layout ") + name));
    const ChildResult verbose = run_with(file.path(), {"-v"});
    EXPECT_TRUE(has(verbose.err, " MiB copied to the layout of x86 in "));
    const ChildResult said = run_with(file.path(), {"--i2s-layout", name});
    EXPECT_EQ(said.out, text);
    EXPECT_TRUE(lacks(said.err, "I2_S"));
    EXPECT_NE(run_with(file.path(), {"--i2s-layout", "x86"}).out, text);
    const auto json = parse_json(run_with(file.path(), {"-q", "--json"}).out);
    EXPECT_EQ(json.at("options").at("i2s_layout"), name);
  }
}

TEST(RunOfAnI2sLayout, ThatCannotBeToldIsThatOfX86AndSaysSo) {
  const std::string random = BITNET_TEST_DATA "/models/random-llama.gguf";
  const Args ids{"run", "--ids", "1,2", "-n", "2", "-m", random};
  const auto run = [&](const Args& more) { return run_bitnet(with(ids, more)); };
  EXPECT_TRUE(has(run({}).err, "they are read as x86 (--i2s-layout has the last word)"));
  EXPECT_TRUE(lacks(run({"--i2s-layout", "x86"}).err, "read as x86"));
  EXPECT_EQ(run({"--i2s-layout", "x86"}).out, run({}).out);
  EXPECT_TRUE(lacks(run_bitnet(Args{"run", "-p", "a", "-n", "1"}).err, "x86"));  // the built-in one
}

TEST(RunOfAnI2sLayout, RefusesWhatHasNoEffect) {
  SmallModel model("llama");
  for (SmallTensor& t : model.tensors()) {
    if (t.type != kI2S) continue;
    t.type = kF16;
    t.draw(3);
  }
  const TempFile file(model.to_gguf().build());
  const ChildResult refused =
      run_bitnet(Args{"run", "--ids", "1,2", "-n", "2", "-m", file.path(), "--i2s-layout", "arm"});
  EXPECT_TRUE(has(refusal(refused, 2), "has no I2_S tensors; leave it out"));
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"run", "-p", "a", "--i2s-layout", "mips"}), 2),
                  "choose from auto, x86, arm, rows4"));
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"run", "-p", "a", "--hidden-act", "gelu"}), 2),
                  "choose from auto, relu2, silu"));
}

TEST(RunOfAHiddenAct, SaysWithVWhichAndWhy) {
  const ChildResult result = run_bitnet(Args{"run", "-v", "-p", "a", "-n", "1"});
  EXPECT_TRUE(has(result.err, "hidden activation relu2: its architecture, bitnet-b1.58, has it"));
  const ChildResult asked = run_bitnet(Args{"run", "-v", "-p", "a", "-n", "1", "--hidden-act", "silu"});
  EXPECT_TRUE(has(asked.err, "hidden activation silu: asked for"));
}

}  // namespace
}  // namespace bitnet::test
