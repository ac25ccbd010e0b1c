// A file whose values are all numbers, and whose output is none.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

#include "cli/runner.h"
#include "gguf/gguf.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

// The canary with some of a norm's weights so large that products overflow.
TempFile canary_that_overflows(const char* norm) {
  const gguf::File file = gguf::File::open(BITNET_MODELS "/canary.gguf");
  std::ifstream in(file.name(), std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  constexpr float kHuge = 3e38F;
  for (std::size_t i = 0; i < 8; ++i) {
    std::memcpy(bytes.data() + file.find_tensor(norm)->file_offset + i * sizeof kHuge, &kHuge, sizeof kHuge);
  }
  return TempFile(std::as_bytes(std::span(bytes)));
}

constexpr const char* kNorms[] = {"output_norm.weight", "blk.0.attn_norm.weight"};

TEST(NotFinite, EndsWhatNeedsTheModelsOutput) {
  for (const char* norm : kNorms) {
    const TempFile model = canary_that_overflows(norm);
    EXPECT_TRUE(has(refusal(run_bitnet({"run", "-m", model.path(), "-p", "hi", "-n", "1"}), 1),
                    "the model's output is not finite"));
    EXPECT_TRUE(has(refusal(run_bitnet({"perplexity", "-m", model.path(), "-p", "What is 2+2?"}), 1),
                    "the model's output is not finite"));
  }
}

TEST(NotFinite, IsNotTakenForAWrongKernel) {
  for (const char* norm : kNorms) {
    const TempFile model = canary_that_overflows(norm);
    const ChildResult result = run_bitnet({"verify", "-m", model.path()});
    EXPECT_TRUE(
        has(refusal(result, 1), "the model's output is not finite at position 0; the file is damaged"));
    EXPECT_TRUE(lacks(result.err, "head finds others"));
  }
}

TEST(NotFinite, IsTracedWithAWarningThatSaysWhereItBegins) {
  const TempFile model = canary_that_overflows("blk.0.attn_norm.weight");
  const ChildResult result = run_bitnet({"trace", "-m", model.path(), "-p", "hi"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(has(result.err, "values are not finite, first in blk.0."));
  EXPECT_TRUE(has(result.err, "the file is damaged or was converted wrongly"));
  EXPECT_TRUE(lacks(run_bitnet({"trace", "-p", "hi"}).err, "not finite"));
}

}  // namespace
}  // namespace bitnet::test
