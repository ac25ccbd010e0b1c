// What the lines say that show how far something has come.
#include <gtest/gtest.h>

#include "cli/terminal/progress_text.h"

namespace bitnet::cli {
namespace {

TEST(PromptProgressText, TellsTokensAndTheTimeLeft) {
  EXPECT_EQ(format_prompt_progress(0, 901, 0.6), "prompt 0 of 901 tokens");
  EXPECT_EQ(format_prompt_progress(384.4, 901, 2.0), "prompt 384 of 901 tokens, 3 s left");
  EXPECT_EQ(format_prompt_progress(1, 901, 0.5), "prompt 1 of 901 tokens, 7:30 left");
}

TEST(TimeLeft, IsToldOnceThereIsSomethingToTellItBy) {
  EXPECT_EQ(format_time_left(0, 10), "");
  EXPECT_EQ(format_time_left(0.5, 0.1), "");
  EXPECT_EQ(format_time_left(0.5, 7), "0:07 left");
  EXPECT_EQ(format_time_left(0.5, 3723), "1:02:03 left");
  EXPECT_EQ(format_time_left(1, 7), "0:00 left");
  EXPECT_EQ(format_time_left(1e-9, 3600), "");
}

}  // namespace
}  // namespace bitnet::cli
