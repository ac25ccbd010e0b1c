#include "bitnet/tokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "bitnet/error.h"
#include "support/emulated.h"
#include "support/text_holds.h"
#include "tokenizer/vocabularies.h"

namespace bitnet {
namespace {

using test::canary_tokenizer;
using test::has;
using test::ints;
using test::VocabularyBuilder;
using Ids = std::vector<std::int32_t>;

constexpr std::int32_t kBos = 1016;
constexpr std::int32_t kEos = 1017;
constexpr std::int32_t kEot = 1018;

template <typename Error, typename Build>
std::string message_of(const Build& build) {
  try {
    build();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

std::string all_bytes() {
  std::string bytes;
  for (int b = 0; b < 256; ++b) bytes += static_cast<char>(b);
  return bytes;
}

// Ids from the tokenizer that the canary was trained with.
TEST(Tokenizer, GivesTheCanarysIds) {
  const EncodeOptions with_bos{.add_bos = true};
  EXPECT_EQ(test::encode(canary_tokenizer(), "Once upon a time, there was a little girl named", with_bos),
            (Ids{kBos, 360, 413, 258, 415, 11, 410, 284, 258, 401, 457, 327}));
  EXPECT_EQ(test::encode(canary_tokenizer(), "What is 2+2?", with_bos),
            (Ids{kBos, 322, 286, 220, 17, 10, 17, 30}));
  EXPECT_EQ(test::encode(canary_tokenizer(), "The capital of France is", with_bos),
            (Ids{kBos, 471, 528, 375, 387, 309, 355, 286}));
  EXPECT_EQ(test::encode(canary_tokenizer(), "Hello, my name is Lily. I live near the river."),
            (Ids{905, 11, 671, 1004, 286, 523, 13, 378, 1005, 373, 262, 675, 13}));
  EXPECT_EQ(test::encode(canary_tokenizer(), "It's 12345 o'clock; we'll see:  two  spaces\n\n\ttab"),
            (Ids{665, 666, 220, 872, 18,  19, 20, 302, 6,   66, 75, 78,  384, 26,  260, 68,  6,  282, 264,
                 68,  68,  25,  220, 257, 86, 78, 220, 264, 79, 64, 341, 82,  198, 198, 197, 83, 64,  65}));
  EXPECT_EQ(test::encode(canary_tokenizer(), "\r\n \r\nx"), (Ids{201, 198, 220, 201, 198, 87}));
}

TEST(Tokenizer, BringsBackEveryByteAndAnyText) {
  EXPECT_EQ(test::decode(canary_tokenizer(), test::encode(canary_tokenizer(), all_bytes())), all_bytes());
  for (const char byte : all_bytes()) {
    const std::string text(1, byte);
    const Ids ids = test::encode(canary_tokenizer(), text);
    EXPECT_EQ(ids.size(), 1U);
    EXPECT_EQ(test::decode(canary_tokenizer(), ids), text);
  }
  std::mt19937 random(6);
  const std::vector<std::string> parts = {
      "the",  " ",    "\n",       "é",        "中", "👩‍🚀", "'s", "12", "\t",      "\xFF",
      "\r\n", "\xE2", "\xED\xA0", "\xCC\x81", "<|", "eot_id",      "|>", "Q",  "\xF0\x9F"};
  for (int i = 0; i < 500; ++i) {
    std::string text;
    for (std::size_t n = random() % 40; n > 0; --n) text += parts[random() % parts.size()];
    ASSERT_EQ(test::decode(canary_tokenizer(), test::encode(canary_tokenizer(), text)), text);
  }
}

// Ids as Hugging Face gives them for Llama 3, with the few pieces of its vocabulary that they are of.
TEST(Tokenizer, GivesLlama3sIdsForCharactersThatOnlyNewUnicodeKnows) {
  VocabularyBuilder v("gpt2", "llama-bpe");
  v.add_bytes();
  const std::int32_t space_f0 = v.add_merged(test::alias_of(' '), test::alias_of(0xF0));
  const std::int32_t space_e1 = v.add_merged(test::alias_of(' '), test::alias_of(0xE1));
  const std::int32_t twenty_three = v.add_merged("2", "3");
  const Tokenizer t = v.build();
  const Ids digit = test::encode(t, "\U00011F50");
  EXPECT_EQ(digit.size(), 4U);
  // A number: the space before it is a word of its own, and with two more digits it is a word of three.
  EXPECT_EQ(test::encode(t, " \U00011F50"), (Ids{' ', digit[0], digit[1], digit[2], digit[3]}));
  EXPECT_EQ(test::encode(t, "1\U00011F5023").size(), 7U);
  EXPECT_EQ(test::encode(t, "23"), Ids{twenty_three});
  // No space: it goes with the space before it.
  EXPECT_EQ(test::encode(t, " \u180Eb").front(), space_e1);
  EXPECT_EQ(test::encode(t, " \U0001F600").front(), space_f0);
}

TEST(Tokenizer, BringsQwensTextsToNormalFormCAndNoOthers) {
  const auto ids = [](const char* pre, std::string_view text) {
    VocabularyBuilder v("gpt2", pre);
    v.add_bytes();
    v.add_merged(test::alias_of(0xC3), test::alias_of(0xAE));  // î, token 256
    v.add("<|e\u0301|>", TokenType::user_defined);
    return test::encode(v.build(), text);
  };
  for (const auto* pre : {"qwen2", "deepseek-r1-qwen", "qwen35"}) {
    EXPECT_EQ(ids(pre, "i\u0302"), Ids{256}) << pre;
    EXPECT_EQ(ids(pre, "\u00EE"), Ids{256}) << pre;
    // Special tokens are looked for in the text as it is.
    EXPECT_EQ(ids(pre, "i\u0302<|e\u0301|>i\u0302"), (Ids{256, 257, 256})) << pre;
  }
  for (const auto* pre : {"llama-bpe", "gpt-2"}) {
    EXPECT_EQ(ids(pre, "i\u0302"), (Ids{'i', 0xCC, 0x82})) << pre;
  }
}

TEST(Tokenizer, LeavesControlTokensThatAUserTypedAsText) {
  const std::string text = "<|begin_of_text|>Hi<|eot_id|><|end_of_text|>";
  const Ids ids = test::encode(canary_tokenizer(), text, {.add_bos = true});
  EXPECT_EQ(ids.front(), kBos);
  for (std::size_t i = 1; i < ids.size(); ++i)
    EXPECT_FALSE(canary_tokenizer().is_control(TokenId{ids[i]})) << i;
  EXPECT_EQ(test::decode(canary_tokenizer(), ids), text);
}

TEST(Tokenizer, ParsesControlTokensOnRequest) {
  const EncodeOptions parse{.parse_special = true};
  EXPECT_EQ(test::encode(canary_tokenizer(), "What is<|eot_id|>", parse), (Ids{322, 286, kEot}));
  EXPECT_EQ(canary_tokenizer().bytes_of(TokenId{kEot}), "");
  EXPECT_EQ(canary_tokenizer().bytes_of(TokenId{kEot}, true), "<|eot_id|>");
}

TEST(Tokenizer, PutsBosFirstOnceAndNeverTwice) {
  EXPECT_EQ(test::encode(canary_tokenizer(), "", {.add_bos = true}), Ids{kBos});
  EXPECT_EQ(test::encode(canary_tokenizer(), ""), Ids{});
  const EncodeOptions both{.add_bos = true, .parse_special = true};
  EXPECT_EQ(test::encode(canary_tokenizer(), "<|begin_of_text|>What is", both), (Ids{kBos, 322, 286}));
  EXPECT_EQ(test::encode(canary_tokenizer(), "What is", both), (Ids{kBos, 322, 286}));
  EXPECT_EQ(test::encode(canary_tokenizer(), "<|eot_id|>", both), (Ids{kBos, kEot}));

  Vocabulary v = test::canary_vocabulary();
  v.add_bos = false;
  const Tokenizer without(v);
  EXPECT_FALSE(without.adds_bos());
  EXPECT_EQ(without.bos(), TokenId{kBos});
  EXPECT_EQ(test::encode(without, "What is", both), (Ids{322, 286}));
}

TEST(Tokenizer, AddsBosByTheFamilysHabitWhenTheFileDoesNotSay) {
  const auto adds = [](const char* model, const char* pre, std::optional<std::uint64_t> bos) {
    VocabularyBuilder v(model, pre);
    v.add_bytes();
    v->bos = bos;
    return v.build().adds_bos();
  };
  EXPECT_TRUE(adds("gpt2", "llama-bpe", 1));
  EXPECT_TRUE(adds("gpt2", "", 1));
  EXPECT_FALSE(adds("gpt2", "llama-bpe", std::nullopt));
  EXPECT_FALSE(adds("gpt2", "gpt-2", 1));
  EXPECT_FALSE(adds("gpt2", "qwen2", 1));
  EXPECT_TRUE(adds("llama", "", 1));
}

TEST(Tokenizer, EndsAtTheEndOfATurnEvenIfTheFileNamesOnlyTheEndOfTheText) {
  const auto end_tokens = canary_tokenizer().end_tokens();
  EXPECT_EQ(ints({end_tokens.begin(), end_tokens.end()}), (Ids{kEos, kEot}));

  VocabularyBuilder v("gpt2", "llama-bpe");
  v.add_bytes();
  const std::int32_t strike = v.add("</s>");                                 // HTML, not a control token
  const std::int32_t im_end = v.add("<|im_end|>", TokenType::user_defined);  // mistyped by its converter
  const std::int32_t turn = v.add("my turn");
  v->eot = static_cast<std::uint64_t>(turn);
  v->eos = static_cast<std::uint64_t>(turn);
  const Tokenizer t = v.build();
  EXPECT_EQ(ints({t.end_tokens().begin(), t.end_tokens().end()}), (Ids{im_end, turn}));
  EXPECT_TRUE(t.is_control(TokenId{im_end}));
  EXPECT_FALSE(t.is_control(TokenId{strike}));
  for (const std::int32_t id : test::encode(t, "a<|im_end|>")) EXPECT_NE(id, im_end);
}

// With the ids that the files of each family name, and the control tokens that theirs have beside.
TEST(Tokenizer, EndsWhereEachFamilyEndsItsTurnOrItsText) {
  const auto ends = [](const std::string& model, const std::string& pre, const std::string& eos,
                       std::initializer_list<const char*> controls) {
    VocabularyBuilder v(model, pre);
    v.add_bytes();
    for (const char* spelling : controls) {
      const std::int32_t id = v.add(spelling, TokenType::control);
      if (spelling == eos) v->eos = static_cast<std::uint64_t>(id);
    }
    const Tokenizer t = v.build();
    std::vector<std::string> spellings;
    for (const TokenId id : t.end_tokens()) spellings.emplace_back(t.bytes_of(id, /*with_special=*/true));
    return spellings;
  };
  using Spellings = std::vector<std::string>;
  EXPECT_EQ(ends("gpt2", "qwen2", "<|im_end|>", {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}),
            (Spellings{"<|endoftext|>", "<|im_end|>"}));
  EXPECT_EQ(ends("gpt2", "falcon3", "<|endoftext|>", {">>TITLE<<", "<|endoftext|>", "<|pad|>"}),
            Spellings{"<|endoftext|>"});
  EXPECT_EQ(ends("gpt2", "falcon-h1", "<|end_of_text|>", {"<|end_of_text|>", "<|im_start|>", "<|im_end|>"}),
            (Spellings{"<|end_of_text|>", "<|im_end|>"}));
  EXPECT_EQ(ends("llama", "", "</s>", {"<s>", "</s>", "<|im_end|>", "<|im_start|>"}),
            (Spellings{"</s>", "<|im_end|>"}));
}

TEST(Tokenizer, KnowsItsVocabulary) {
  EXPECT_EQ(canary_tokenizer().vocab_size(), 1024U);
  EXPECT_EQ(canary_tokenizer().bos(), TokenId{kBos});
  EXPECT_EQ(canary_tokenizer().eos(), TokenId{kEos});
  EXPECT_EQ(canary_tokenizer().find("<|eot_id|>"), TokenId{kEot});
  EXPECT_EQ(canary_tokenizer().find("<|eot_id|> "), std::nullopt);
  EXPECT_EQ(canary_tokenizer().find(""), std::nullopt);
  EXPECT_TRUE(canary_tokenizer().is_control(TokenId{kEot}));
  EXPECT_FALSE(canary_tokenizer().is_control(TokenId{0}));
  EXPECT_FALSE(canary_tokenizer().adds_space_prefix());
  for (const std::int32_t outside : {-1, 1024, 2147483647}) {
    EXPECT_FALSE(canary_tokenizer().is_control(TokenId{outside}));
    EXPECT_EQ(canary_tokenizer().bytes_of(TokenId{outside}, true), "");
  }
}

TEST(Tokenizer, FindsTheFirstOfEqualPiecesAndNeverAnEmptyOne) {
  VocabularyBuilder v("gpt2", "gpt-2");
  v.add("");
  const std::int32_t a = v.add("a");
  v.add("a");
  v.add("", TokenType::user_defined);
  v.add("", TokenType::control);
  const Tokenizer t = v.build();
  EXPECT_EQ(t.find("a"), TokenId{a});
  EXPECT_EQ(test::encode(t, "aa", {.parse_special = true}), (Ids{a, a}));
}

TEST(Tokenizer, TakesAllTokensAsNormalWhenTheFileGivesNoTypes) {
  VocabularyBuilder v("gpt2", "gpt-2");
  v.add_bytes();
  v.add("<|x|>");
  v->types.clear();
  const Tokenizer t = v.build();
  EXPECT_FALSE(t.is_control(TokenId{256}));
  EXPECT_EQ(t.bytes_of(TokenId{256}), "<|x|>");
}

TEST(Tokenizer, RefusesVocabulariesThatDoNotAddUp) {
  const auto refusal = [](const std::function<void(Vocabulary&)>& spoil) {
    VocabularyBuilder v("gpt2", "llama-bpe");
    v.add_bytes();
    spoil(*v);
    return message_of<ModelError>([&] { v.build(); });
  };
  const auto expect = [](const std::string& message, const std::string& part) {
    EXPECT_TRUE(has(message, part));
  };
  expect(refusal([](Vocabulary& v) { v.model = "bert\x1b[2J"; }),
         "tokenizer.ggml.model: unknown tokenizer 'bert\\x1b[2J'");
  expect(refusal([](Vocabulary& v) { v.pre = "tekken"; }), "tokenizer.ggml.pre");
  expect(refusal([](Vocabulary& v) { v.types.pop_back(); }), "tokenizer.ggml.token_type: 255 types for 256");
  expect(refusal([](Vocabulary& v) { v.types[7] = 9; }), "tokenizer.ggml.token_type[7]");
  expect(refusal([](Vocabulary& v) { v.types[7] = -1; }), "tokenizer.ggml.token_type[7]");
  expect(refusal([](Vocabulary& v) { v.scores.pop_back(); }), "tokenizer.ggml.scores: 255 scores for 256");
  expect(refusal([](Vocabulary& v) { v.bos = 256; }), "tokenizer.ggml.bos_token_id: 256");
  expect(refusal([](Vocabulary& v) { v.eos = UINT64_MAX; }), "tokenizer.ggml.eos_token_id");
  expect(refusal([](Vocabulary& v) { v.eot = 1ULL << 32; }), "tokenizer.ggml.eot_token_id");
  expect(refusal([](Vocabulary& v) { v.eom = 256; }), "tokenizer.ggml.eom_token_id");
  expect(refusal([](Vocabulary& v) { v.eos = static_cast<std::uint64_t>(-1); }), ": -1 is no token");
  expect(refusal([](Vocabulary& v) { v.pieces.clear(); }), "tokenizer.ggml.tokens");
}

TEST(Tokenizer, TakesIdsBeyondTheVocabularyOfTokensThatItNeverUses) {
  VocabularyBuilder bytes("gpt2", "llama-bpe");
  bytes.add_bytes();
  bytes->unk = 256;
  bytes->bos = UINT64_MAX;
  EXPECT_THROW(bytes.build(), ModelError);  // that family puts a BOS first
  bytes->add_bos = false;
  EXPECT_EQ(bytes.build().bos(), std::nullopt);
  bytes->add_bos.reset();
  bytes->pre = "qwen2";
  EXPECT_FALSE(bytes.build().adds_bos());

  VocabularyBuilder pieces("llama");
  pieces->unk = 1000;
  EXPECT_THROW(pieces.build(), ModelError);
  pieces.add("▁");
  pieces.add("a");
  EXPECT_THROW(pieces.build(), ModelError);  // it would stand for all other characters
  pieces.add_bytes();
  EXPECT_EQ(test::encode(pieces.build(), "b").size(), 2U);
}

TEST(Tokenizer, EndsAtTheEndsThatOnlyMetadataName) {
  VocabularyBuilder v("gpt2", "llama-bpe");
  v.add_bytes();
  const std::int32_t turn = v.add("<|turn_end|>", TokenType::control);
  const std::int32_t message = v.add("<|message_end|>", TokenType::control);
  EXPECT_TRUE(v.build().end_tokens().empty());
  v->eot = static_cast<std::uint64_t>(turn);
  v->eom = static_cast<std::uint64_t>(message);
  const Tokenizer t = v.build();
  EXPECT_EQ(ints({t.end_tokens().begin(), t.end_tokens().end()}), (Ids{turn, message}));
}

TEST(Tokenizer, EndsAtControlTokensThatAreSpelledAsEndsWhateverTheMetadataName) {
  VocabularyBuilder v("gpt2", "llama-bpe");
  v.add_bytes();
  const std::int32_t end = v.add("</s>", TokenType::control);
  const std::int32_t turn = v.add("<|im_end|>", TokenType::control);
  v.add("<|im_start|>", TokenType::control);
  const Tokenizer t = v.build();
  EXPECT_EQ(ints({t.end_tokens().begin(), t.end_tokens().end()}), (Ids{end, turn}));
}

TEST(Tokenizer, MayBeSharedBetweenThreads) {
  const std::string text = "Once upon a time, there was a little girl named Lily. 1234 <|eot_id|>";
  const Ids expected = test::encode(canary_tokenizer(), text, {.parse_special = true});
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k)
        EXPECT_EQ(test::encode(canary_tokenizer(), text, {.parse_special = true}), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Generous: what must not happen is the hours of a quadratic algorithm.
constexpr std::chrono::seconds kNotForever{test::kIsEmulated ? 1200 : 60};

TEST(Tokenizer, IsNotSlowOnTextsMadeToSlowItDown) {
  const auto start = std::chrono::steady_clock::now();
  std::mt19937 random(7);
  std::string open;
  for (int i = 0; i < 500000; ++i) open += "<|";
  std::string spaced;
  for (int i = 0; i < 1000; ++i) spaced += std::string(1000, ' ') + "\xFF";
  const std::vector<std::string> texts = {
      std::string(1000000, 'a'),
      std::string(1000000, ' '),
      std::string(1000000, '\n'),
      open,
      spaced,
      test::random_text(random, "etaoinshrdlu", 1000000),
      std::string(1000000, '\x80'),
      std::string(1000000, '1'),
  };
  VocabularyBuilder piece("llama");
  piece.add("<unk>", TokenType::unknown);
  piece.add_bytes();
  piece.add("▁");
  for (std::size_t n = 1; n <= 64; n *= 2)
    piece.add(std::string(n, 'a'), TokenType::normal, static_cast<float>(n));
  for (int i = 0; i < 256; ++i) piece.add("<|reserved_" + std::to_string(i) + "|>", TokenType::control);
  const Tokenizer sentencepiece = piece.build();
  for (const std::string& text : texts) {
    // Compared outside of EXPECT_EQ, which would print megabytes.
    const bool same = test::decode(canary_tokenizer(),
                                   test::encode(canary_tokenizer(), text, {.parse_special = true})) == text;
    EXPECT_TRUE(same) << text.substr(0, 10);
    const Ids ids = test::encode(sentencepiece, text, {.parse_special = true});
    const bool same_with_space = test::decode(sentencepiece, ids) == " " + text;
    EXPECT_TRUE(same_with_space) << text.substr(0, 10);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, kNotForever);
}

TEST(Tokenizer, IndexesAVocabularyOfLlama3sSizeQuickly) {
  // Random spellings, each the merge of two earlier ones, with as many merges as that vocabulary has.
  VocabularyBuilder v("gpt2", "llama-bpe");
  v.add_bytes();
  std::mt19937 random(8);
  std::vector<std::string> pieces(v->pieces.begin(), v->pieces.end());
  while (pieces.size() < 128000) {
    const std::string& left = pieces[random() % pieces.size()];
    const std::string& right = pieces[random() % pieces.size()];
    if (left.size() + right.size() > 24) continue;
    v.add_merged(left, right);
    pieces.emplace_back(v->pieces.back());
  }
  while (v->merges.size() < 280147) v.add_merge(std::string(v->merges[random() % v->merges.size()]));
  for (int i = 0; i < 256; ++i)
    v.add("<|reserved_special_token_" + std::to_string(i) + "|>", TokenType::control);
  const auto start = std::chrono::steady_clock::now();
  const Tokenizer t = v.build();
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(t.vocab_size(), 128256U);
  EXPECT_LT(took, kNotForever);
  RecordProperty("milliseconds",
                 static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
}

}  // namespace
}  // namespace bitnet
