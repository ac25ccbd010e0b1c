// Files whose vocabulary or template is not what it says, as a user of run, chat, tokenize and inspect meets
// them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/runner.h"
#include "support/small_model.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

TempFile file_of(const SmallModel& model) { return TempFile(model.to_gguf().build()); }

TEST(CliVocabulary, ThatCannotSpellPlainTextIsRefused) {
  SmallModel model("llama");
  const TempFile file = file_of(model.remove_key("tokenizer.ggml.merges"));
  for (const char* command : {"run", "tokenize"}) {
    const ChildResult result = run_bitnet(Args{command, "-m", file.path(), "-p", "a"});
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(has(refusal(result, 3), "tokenizer.ggml.merges: there are none"));
  }
  const ChildResult inspected = run_bitnet(Args{"inspect", file.path()});
  EXPECT_EQ(inspected.exit_code, 3);
  EXPECT_TRUE(has(inspected.out, "error: vocabulary: "));
}

// The advice is one that can be followed, and comes before anything about a byte of some template.
TEST(CliVocabulary, OfMadeUpTokensTakesIdsOnly) {
  for (const Args& args :
       {Args{"run", "-p", "a"}, Args{"run", "-p", "a", "--template", "auto"}, Args{"tokenize", "-p", "a"},
        Args{"perplexity", "-f", BITNET_TEST_DATA "/perplexity/village.txt"}}) {
    Args all = args;
    all.insert(all.end(), {"-m", kRandom});
    const ChildResult result = run_bitnet(all);
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(has(refusal(result, 3), kRandom + ": tokenizer.ggml.tokens: they spell no text: "));
    EXPECT_TRUE(has(result.err, "run and trace take token ids with --ids"));
  }
  ChildOptions chat;
  chat.args = {"chat", "-m", kRandom};
  chat.stdin_text = "a\n";
  EXPECT_TRUE(has(refusal(run_bitnet(chat), 3), "they spell no text"));
  EXPECT_EQ(run_bitnet(Args{"detokenize", "-m", kRandom, "5", "7"}).out, "t5t7");
  EXPECT_TRUE(has(text_of({"inspect", kRandom}), "warning: text: tokenizer.ggml.tokens: they spell no text"));
}

TEST(CliVocabulary, MayNameAnUnknownTokenThatIsNone) {
  SmallModel model("llama");
  const TempFile file = file_of(model.set("tokenizer.ggml.unknown_token_id", std::uint32_t{1029}));
  const ChildResult result = run_bitnet(Args{"run", "-m", file.path(), "-p", "a", "-n", "0"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has(result.err, "warning: " + file.path() +
                                  ": tokenizer.ggml.unknown_token_id: 1029 is no token of the vocabulary"));
}

TEST(CliTemplate, ThatTheVocabularyDoesNotAllowIsRefusedByAllInTheSameWords) {
  SmallModel model("bitnet-b1.58");
  model.set("tokenizer.chat_template", std::string("{{ '<|im_start|>' + m['role'] + '<|im_end|>' }}"));
  const TempFile file = file_of(model);
  const std::string why = "its chat template is chatml, but the vocabulary has no token <|im_start|>";
  const Args run{"run", "-m", file.path(), "-p", "a", "--template"};
  Args own = run;
  own.emplace_back("auto");
  const std::string refused = refusal(run_bitnet(own), 2);
  EXPECT_TRUE(has(refused, file.path() + ": " + why));
  EXPECT_TRUE(
      has(refused, "pass --template with one that its vocabulary allows: falcon3, minicpm, instruct"));
  EXPECT_TRUE(has(refusal(run_bitnet(Args{"chat", "-m", file.path()}), 2), why));
  Args named = run;
  named.emplace_back("llama3");
  EXPECT_TRUE(has(refusal(run_bitnet(named), 2),
                  "--template llama3 cannot be used: the vocabulary has no token <|start_header_id|>"));
  const std::string inspected = text_of({"inspect", file.path()});
  EXPECT_TRUE(has(inspected, "warning: chat template: "));
  EXPECT_TRUE(has(inspected, "is chatml, but"));
}

}  // namespace
}  // namespace bitnet::test
