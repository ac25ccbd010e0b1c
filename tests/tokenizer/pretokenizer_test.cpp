#include "tokenizer/pretokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "bitnet/error.h"
#include "support/text_holds.h"

namespace bitnet {
namespace {

using test::has;

using Words = std::vector<std::string>;

Words split(std::string_view name, std::string_view text) {
  Words words;
  Pretokenizer(name).split(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

struct Case {
  const char* text;
  Words words;
};

// Expectations made with Python's `regex` module from the published expressions.
TEST(Pretokenizer, SplitsAsLlamaBpeDoes) {
  const std::vector<Case> cases = {
      {"I'll SAY it'S don'T we're", {"I", "'ll", " SAY", " it", "'S", " don", "'T", " we", "'re"}},
      {"1 12 123 1234 1234567", {"1", " ", "12", " ", "123", " ", "123", "4", " ", "123", "456", "7"}},
      {"中文测试 日本語", {"中文测试", " 日本語"}},
      {"hi 👩‍🚀!! ok", {"hi", " 👩‍🚀!!", " ok"}},
      {"  lead", {" ", " lead"}},
      {"trail  ", {"trail", "  "}},
      {"a   b", {"a", "  ", " b"}},
      {"x\r\ny\n\n z", {"x", "\r\n", "y", "\n\n", " z"}},
      {"\tif x:\n\t\treturn 1", {"\tif", " x", ":\n", "\t", "\treturn", " ", "1"}},
      {"naïve café Ünïcode", {"naïve", " café", " Ünïcode"}},
      {"foo_bar(baz)[0]->x", {"foo", "_bar", "(baz", ")[", "0", "]->", "x"}},
      {"...\n\n", {"...\n\n"}},
      {"٣٤٥٦ ½²", {"٣٤٥", "٦", " ", "½²"}},
      {" ", {" "}},
      {"a\u00a0\u3000b", {"a", "\u00a0", "\u3000b"}},
      {"", {}},
  };
  for (const Case& c : cases) EXPECT_EQ(split("llama-bpe", c.text), c.words) << c.text;
}

TEST(Pretokenizer, SplitsAsQwen2DoesWithSingleDigits) {
  const std::vector<Case> cases = {
      {"I'll SAY it'S don'T we're", {"I", "'ll", " SAY", " it", "'S", " don", "'T", " we", "'re"}},
      {"1 12 1234", {"1", " ", "1", "2", " ", "1", "2", "3", "4"}},
      {"hi 👩‍🚀!! ok", {"hi", " 👩‍🚀!!", " ok"}},
      {"x\r\ny\n\n z", {"x", "\r\n", "y", "\n\n", " z"}},
      {"\tif x:\n\t\treturn 1", {"\tif", " x", ":\n", "\t", "\treturn", " ", "1"}},
      {"٣٤ ½²", {"٣", "٤", " ", "½", "²"}},
  };
  for (const Case& c : cases) EXPECT_EQ(split("qwen2", c.text), c.words) << c.text;
}

// With expectations from Hugging Face's tokenizers 0.23.2, as all the following.
TEST(Pretokenizer, SplitsAsQwen35DoesWithMarksAmongTheLetters) {
  const std::vector<Case> cases = {
      {"हिन्दी में", {"हिन्दी", " में"}},
      {"\u0301a\u0301b", {"\u0301a\u0301b"}},
      {"I'll SAY 12 ٣½", {"I", "'ll", " SAY", " ", "1", "2", " ", "٣", "½"}},
      {"x\r\ny\n\n z!?\n", {"x", "\r\n", "y", "\n\n", " z", "!?\n"}},
  };
  for (const Case& c : cases) EXPECT_EQ(split("qwen35", c.text), c.words) << c.text;
  EXPECT_EQ(split("qwen2", "हिन्दी में"), (Words{"ह", "िन", "्द", "ी", " म", "ें"}));
}

// PCRE2 10.42 knows Unicode 14 and would call all of these neither letters nor numbers.
TEST(Pretokenizer, KnowsCharactersNewInUnicode15And16WhateverPcre2Knows) {
  const std::vector<Case> cases = {
      {" \U00011F50", {" ", "\U00011F50"}},  // a number
      {"1\U00011F5023", {"1\U00011F502", "3"}},
      {" \U0001D2C0", {" ", "\U0001D2C0"}},
      {"x\U00011F04\U0001D2C0\U0001D2C1", {"x\U00011F04", "\U0001D2C0\U0001D2C1"}},  // a letter
      {"\U00013963's", {"\U00013963", "'s"}},
      {"a\U000105D2\U0001CC00\u0897b", {"a\U000105D2", "\U0001CC00\u0897", "b"}},  // a symbol and a mark
  };
  for (const Case& c : cases) EXPECT_EQ(split("llama-bpe", c.text), c.words) << c.text;
  EXPECT_EQ(split("qwen35", "a\U000105D2\U0001CC00\u0897b"), (Words{"a\U000105D2", "\U0001CC00\u0897b"}));
  EXPECT_EQ(split("gpt-2", " \U00011F50"), (Words{" \U00011F50"}));
}

TEST(Pretokenizer, TakesTheMongolianVowelSeparatorForNoSpace) {
  EXPECT_EQ(split("llama-bpe", " \u180Eb"), (Words{" \u180E", "b"}));
  EXPECT_EQ(split("llama-bpe", "a\u180E\u180E b"), (Words{"a", "\u180E\u180E", " b"}));
  EXPECT_EQ(split("gpt-2", " \u180Eb"), (Words{" \u180E", "b"}));
}

TEST(Pretokenizer, TakesALongSForAnSOnlyWhereCaseDoesNotCount) {
  EXPECT_EQ(split("llama-bpe", "I'ſ it'ſt"), (Words{"I", "'ſ", " it", "'ſ", "t"}));
  EXPECT_EQ(split("gpt-2", "I'ſ it'ſt"), (Words{"I", "'", "ſ", " it", "'", "ſt"}));
}

TEST(Pretokenizer, SplitsAsGpt2Does) {
  const std::vector<Case> cases = {
      {"I'll SAY it'S don'T we're", {"I", "'ll", " SAY", " it", "'", "S", " don", "'", "T", " we", "'re"}},
      {"1 12 123 1234 1234567", {"1", " 12", " 123", " 1234", " 1234567"}},
      {"hi 👩‍🚀!! ok", {"hi", " 👩‍🚀!!", " ok"}},
      {"  lead", {" ", " lead"}},
      {"x\r\ny\n\n z", {"x", "\r", "\n", "y", "\n\n", " z"}},
      {"\tif x:\n\t\treturn 1", {"\t", "if", " x", ":", "\n\t", "\t", "return", " 1"}},
      {"foo_bar(baz)[0]->x", {"foo", "_", "bar", "(", "baz", ")[", "0", "]->", "x"}},
      {"...\n\n", {"...", "\n\n"}},
      {"a\u00a0\u3000b", {"a", "\u00a0", "\u3000", "b"}},
  };
  for (const Case& c : cases) EXPECT_EQ(split("gpt-2", c.text), c.words) << c.text;
}

TEST(Pretokenizer, KnowsThePublishedNames) {
  for (const auto* name :
       {"", "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "falcon_e", "falcon-e"}) {
    EXPECT_EQ(split(name, "1234 it'S"), (Words{"123", "4", " it", "'S"})) << name;
    EXPECT_TRUE(Pretokenizer(name).prefers_whole_tokens()) << name;
    EXPECT_TRUE(Pretokenizer(name).adds_bos()) << name;
  }
  for (const auto* name : {"gpt-2", "gpt2", "olmo", "mpt", "qwen2", "deepseek-r1-qwen", "qwen35"}) {
    EXPECT_FALSE(Pretokenizer(name).prefers_whole_tokens()) << name;
    EXPECT_FALSE(Pretokenizer(name).adds_bos()) << name;
  }
  for (const auto* name : {"olmo", "mpt"})
    EXPECT_EQ(split(name, "1234 it'S"), split("gpt-2", "1234 it'S")) << name;
  EXPECT_EQ(split("deepseek-r1-qwen", "1234 it'S"), (Words{"1", "2", "3", "4", " it", "'S"}));
}

TEST(Pretokenizer, AsksForNormalFormCInTheFamiliesOfQwenAndNeox) {
  for (const auto* name : {"qwen2", "deepseek-r1-qwen", "qwen35", "olmo", "mpt"})
    EXPECT_TRUE(Pretokenizer(name).normalizes_to_nfc()) << name;
  for (const auto* name : {"", "llama-bpe", "falcon3", "gpt-2"}) {
    EXPECT_FALSE(Pretokenizer(name).normalizes_to_nfc()) << name;
  }
}

TEST(Pretokenizer, RefusesAnUnknownNameWithTheKeyTheValueAndTheChoice) {
  try {
    const Pretokenizer pretokenizer("tekken\n");
    FAIL() << "accepted";
  } catch (const ModelError& e) {
    const std::string message = e.what();
    EXPECT_TRUE(has(message, "tokenizer.ggml.pre"));
    EXPECT_TRUE(has(message, "tekken\\n"));
    EXPECT_TRUE(has(message, "llama-bpe, llama3"));
  }
}

TEST(Pretokenizer, GivesEachByteThatIsNotUtf8AWordOfItsOwn) {
  EXPECT_EQ(split("llama-bpe", "ab\xFF\xFE cd"), (Words{"ab", "\xFF", "\xFE", " cd"}));
  EXPECT_EQ(split("llama-bpe", "\xE2\x82"), (Words{"\xE2", "\x82"}));
  EXPECT_EQ(split("llama-bpe",
                  "a\xED\xA0\x80"
                  "b"),
            (Words{"a", "\xED", "\xA0", "\x80", "b"}));
  EXPECT_EQ(split("gpt-2", std::string("a\0b", 3)), (Words{"a", std::string("\0", 1), "b"}));
}

TEST(Pretokenizer, MayBeSharedBetweenThreads) {
  const Pretokenizer shared("llama-bpe");
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "some words, 12345 \n";
  const auto count = [&](std::size_t& words) { shared.split(text, [&](std::string_view) { ++words; }); };
  std::size_t expected = 0;
  count(expected);
  std::vector<std::size_t> counts(4);
  std::vector<std::thread> threads;
  threads.reserve(counts.size());
  for (std::size_t& words : counts) threads.emplace_back(count, std::ref(words));
  for (std::thread& thread : threads) thread.join();
  for (const std::size_t words : counts) EXPECT_EQ(words, expected);
}

}  // namespace
}  // namespace bitnet
