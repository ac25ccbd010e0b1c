// Files whose vocabulary cannot do what it says: noise for text is refused at loading, ids that nobody asks
// for are warned of, and made-up tokens are good for ids.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "model/inspect/inspection.h"
#include "support/small_model.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

constexpr std::uint32_t kBeyond = 1029;

SmallModel with_pieces(const SmallModel& model, const std::string& from, const std::string& to) {
  SmallModel changed = model;
  const AlignedBytes bytes = model.build();
  const gguf::File file = gguf::File::from_bytes(bytes.span(), "m");
  const gguf::StringArray pieces = *file.get_strings("tokenizer.ggml.tokens");
  std::vector<std::string> all(pieces.begin(), pieces.end());
  std::ranges::replace(all, from, to);
  return changed.set("tokenizer.ggml.tokens", all);
}

// Refused by the loader with a message that names the key, and by inspect with the same.
void expect_refused(const SmallModel& model, std::string_view key) {
  EXPECT_TRUE(is_refused(model, {key, "convert the model again with its tokenizer"}));
  const AlignedBytes file = model.build();
  const Inspection in = inspect({.path = "test.gguf", .bytes = file.span()}, 1);
  EXPECT_FALSE(in.is_usable());
  ASSERT_TRUE(in.refusal.has_value());
  EXPECT_NE(in.refusal->find(key), std::string::npos) << *in.refusal;
  EXPECT_TRUE(std::ranges::any_of(in.findings, [&](const Finding& f) {
    return f.level == FindingLevel::error && f.topic == "vocabulary" && f.what.find(key) != std::string::npos;
  }));
}

TEST(Vocabulary, WithoutMergesIsRefused) {
  SmallModel m("llama");
  expect_refused(m.remove_key("tokenizer.ggml.merges"), "tokenizer.ggml.merges");
  expect_refused(m.set("tokenizer.ggml.merges", std::vector<std::string>{}), "tokenizer.ggml.merges");
  expect_refused(m.set("tokenizer.ggml.merges", std::vector<std::string>{"t h", "th e"}),
                 "tokenizer.ggml.merges");
}

TEST(Vocabulary, OfTheOtherKindThanTheFileSaysIsRefused) {
  SmallModel bpe("llama");
  bpe.set("tokenizer.ggml.model", "llama").set("tokenizer.ggml.scores", std::vector<float>(300));
  expect_refused(bpe, "tokenizer.ggml.model");
  expect_refused(bpe.set("tokenizer.ggml.unknown_token_id", std::uint32_t{3}), "tokenizer.ggml.model");
  expect_refused(with_pieces(SmallModel("llama"), "\u0120", "\u2581"), "tokenizer.ggml.model");
  expect_refused(with_pieces(SmallModel("llama"), "Q", "<Q>"), "tokenizer.ggml.tokens");
}

TEST(Vocabulary, OfMadeUpTokensLoadsAndTakesNoText) {
  const Model random = Model::load(BITNET_TEST_DATA "/models/random-llama.gguf");
  try {
    random.require_text();
    FAIL() << "takes text";
  } catch (const ModelError& e) {
    const std::string message = e.what();
    for (const char* part : {"random-llama.gguf", "tokenizer.ggml.tokens", "--ids"}) {
      EXPECT_TRUE(has(message, part));
    }
  }
  const Inspection in = inspect({.path = BITNET_TEST_DATA "/models/random-llama.gguf", .bytes = {}}, 1);
  EXPECT_TRUE(in.is_usable());
  EXPECT_TRUE(std::ranges::any_of(in.findings, [](const Finding& f) {
    return f.level == FindingLevel::warning && f.topic == "text" &&
           f.meaning.find("token ids") != std::string::npos;
  }));
  LoadedModel(SmallModel("llama")).model.require_text();
  LoadedModel(SmallModel("bitnet")).model.require_text();
}

TEST(Vocabulary, MayNameIdsBeyondItOfTokensThatNobodyUses) {
  for (const char* name : {"unknown", "padding", "seperator", "mask", "cls", "fim_pre"}) {
    const std::string key = std::string("tokenizer.ggml.") + name + "_token_id";
    SmallModel m("llama");
    m.set(key, kBeyond);
    const LoadedModel loaded(m);
    ASSERT_EQ(loaded.model.info().warnings.size(), 1U) << key;
    EXPECT_EQ(loaded.model.info().warnings[0],
              key + ": 1029 is no token of the vocabulary, which has 300; nothing here uses it");
    const Inspection in = inspect({.path = "test.gguf", .bytes = loaded.file.span()}, 1);
    EXPECT_TRUE(in.is_usable());
    EXPECT_TRUE(std::ranges::any_of(in.findings, [&](const Finding& f) {
      return f.level == FindingLevel::warning && f.what.starts_with(key);
    }));
    EXPECT_EQ(logits(m), logits(SmallModel("llama")));
  }
  SmallModel none("llama");
  none.set("tokenizer.ggml.add_bos_token", false).set("tokenizer.ggml.bos_token_id", std::int32_t{-1});
  EXPECT_EQ(LoadedModel(none).model.info().warnings.size(), 1U);
  EXPECT_TRUE(LoadedModel(SmallModel("llama")).model.info().warnings.empty());
}

TEST(Vocabulary, MayNotNameIdsBeyondItThatBeginOrEndAText) {
  for (const char* name : {"bos", "eos", "eot", "eom"}) {
    const std::string key = std::string("tokenizer.ggml.") + name + "_token_id";
    SmallModel m("llama");
    EXPECT_TRUE(is_refused(m.set(key, kBeyond), {key, "1029"}));
    EXPECT_TRUE(is_refused(m.set(key, std::int32_t{-1}), {key, "-1"}));
  }
}

TEST(Vocabulary, NamesTheEndOfAMessage) {
  SmallModel m("llama");
  const LoadedModel loaded(m.set("tokenizer.ggml.eom_token_id", std::uint32_t{2}));
  const auto ends = loaded.model.tokenizer().end_tokens();
  EXPECT_NE(std::ranges::find(ends, TokenId{2}), ends.end());
}

// bitnet.cpp's converter was changed to write gpt-2 beside Llama 3's vocabulary, which splits "123"
// otherwise.
TEST(Vocabulary, OfLlama3IsCutAsLlama3CutsItUnderAMistakenName) {
  SmallModel right("bitnet-b1.58");
  right.spell(298, "<|begin_of_text|>", TokenType::control).spell(299, "<|eot_id|>", TokenType::control);
  SmallModel mistaken = right;
  const std::string text = "ab  ab\n\nab's";
  for (const char* name : {"gpt-2", "gpt2", "smaug-bpe", "default"}) {
    const LoadedModel loaded(mistaken.set("tokenizer.ggml.pre", std::string(name)));
    EXPECT_EQ(loaded.model.tokenizer().encode(text), LoadedModel(right).model.tokenizer().encode(text))
        << name;
    const Inspection in = inspect({.path = "test.gguf", .bytes = loaded.file.span()}, 1);
    EXPECT_TRUE(std::ranges::any_of(in.findings, [&](const Finding& f) {
      return f.level == FindingLevel::warning && f.topic == "pre-tokenizer" &&
             f.what.find(name) != std::string::npos;
    })) << name;
  }
  // A converter that read how the tokenizer cuts a text is right.
  SmallModel read = mistaken;
  read.set("tokenizer.ggml.pre", std::string("gpt-2")).set("ternary.tokenizer.pre", std::string("gpt-2"));
  EXPECT_TRUE(LoadedModel(read).model.info().warnings.empty());
  // A vocabulary of GPT-2's with such tokens beside its own.
  mistaken.set("tokenizer.ggml.pre", std::string("gpt-2")).spell(297, "<|endoftext|>", TokenType::control);
  EXPECT_TRUE(LoadedModel(mistaken).model.info().warnings.empty());
}

}  // namespace
}  // namespace bitnet::test
