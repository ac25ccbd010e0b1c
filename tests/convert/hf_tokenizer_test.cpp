// Tokenizers of folders: each kind is recognised by what it does, and what is not known is refused.
#include <gtest/gtest.h>

#include <filesystem>
#include "bitnet/error.h"
#include "bitnet/tokenizer.h"
#include "convert/huggingface/sentencepiece_file.h"
#include "convert/huggingface/vocabulary.h"
#include "convert/tokenizer_folder.h"
#include "support/text_holds.h"
#include "tokenizer/pretokenizer.h"

namespace bitnet::test {
namespace {

class Tokenizers : public TokenizerFolder {};

TEST_F(Tokenizers, TokensHaveTheirTypesAndRowsWithoutOneAreFilled) {
  const HfVocabulary v = read(6);
  EXPECT_EQ(v.model, "gpt2");
  EXPECT_EQ(v.tokens, (std::vector<std::string>{"a", "b", "ab", "<|begin_of_text|>", "<tool>", "[PAD5]"}));
  EXPECT_EQ(v.types, (std::vector{TokenType::normal, TokenType::normal, TokenType::normal, TokenType::control,
                                  TokenType::user_defined, TokenType::unused}));
  EXPECT_EQ(v.merges, std::vector<std::string>{"a b"});
  EXPECT_EQ(notes, std::vector<std::string>{"the tokenizer has no token for the last 1 of 6 rows of the "
                                            "embedding: they are filled in as [PAD5]"});
}

TEST_F(Tokenizers, RowsWithoutATokenBetweenOthersAreCountedToo) {
  json["model"]["vocab"] = {{"a", 0}, {"b", 1}};
  json["model"]["merges"] = Json::array();
  const HfVocabulary v = read(7);
  EXPECT_EQ(v.tokens[2], "[PAD2]");
  EXPECT_EQ(notes, (std::vector<std::string>{
                       directory.file("tokenizer.json") +
                           ": added_tokens: '<|begin_of_text|>' is token 3; Hugging Face's library counts on "
                           "from the vocabulary and gives it 2",
                       "the tokenizer has no token for 3 of 7 rows of the embedding, "
                       "the first of them 2: they are filled in as [PAD2], ..."}));
}

// Padding would hide that a text never ends.
TEST_F(Tokenizers, BeginningAndEndOfTextsMustBeTokens) {
  for (const std::uint64_t id : {5U, 8U, 9U, 100U}) {  // filled in, and beyond the last row
    for (const char* field : {"bos_token_id", "eos_token_id"}) {
      config = {{field, id}};
      EXPECT_TRUE(
          has(error(), std::string("config.json: ") + field + " " + std::to_string(id) + " is no token"));
    }
    config = convert::Json::object();
    write_file(directory.file("generation_config.json"),
               R"({"eos_token_id":[2,)" + std::to_string(id) + "]}");
    EXPECT_TRUE(has(error(), "generation_config.json: eos_token_id " + std::to_string(id) + " is no token"));
    std::filesystem::remove(directory.file("generation_config.json"));
  }
  config = {{"pad_token_id", 7U}};  // is often one of those
  EXPECT_EQ(read().pad, 7U);
}

TEST_F(Tokenizers, ThePreTokenizerIsRecognisedByItsExpression) {
  EXPECT_EQ(read(5).pre, "llama-bpe");
  json["model"]["ignore_merges"] = false;
  json["pre_tokenizer"] = byte_level(true);
  EXPECT_EQ(read(5).pre, "gpt-2");
  json["normalizer"] = {{"type", "NFC"}};
  EXPECT_EQ(read(5).pre, "olmo");  // GPT-NeoX's: TriLM
  json["pre_tokenizer"] = split_by(kQwen2);
  EXPECT_EQ(read(5).pre, "qwen2");
  json["pre_tokenizer"] = split_by(kQwen35);
  EXPECT_EQ(read(5).pre, "qwen35");
  EXPECT_TRUE(notes.empty());
}

TEST_F(Tokenizers, APreTokenizerThatIsNotKnownIsRefused) {
  json["pre_tokenizer"] = split_by(R"(\p{N}{1,2}|\s+)");
  EXPECT_TRUE(has(error(), R"(\\p{N}{1,2}|\\s+, is not known here)"));
  json["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers", {{{"type", "Digits"}}, byte_level(false)}}};
  EXPECT_TRUE(has(error(), "(Digits, ByteLevel) is not known here"));
  json["pre_tokenizer"] = nullptr;
  EXPECT_TRUE(has(error(), "(nothing) is not known here"));
  json["pre_tokenizer"] = byte_level(false);
  EXPECT_TRUE(has(error(), "(ByteLevel) is not known here"));
  json["pre_tokenizer"] = split_by(kLlama3);
  json["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed";
  EXPECT_TRUE(has(error(), "(Split, ByteLevel) is not known here"));
}

TEST_F(Tokenizers, ANormalizerThatThePreTokenizerDoesNotGoWithIsRefused) {
  json["normalizer"] = {{"type", "NFC"}};
  EXPECT_TRUE(
      has(error(), "its normalizer (NFC) is not that of other models with the pre-tokenizer llama-bpe"));
  json["pre_tokenizer"] = split_by(kQwen2);
  json["normalizer"] = {{"type", "Lowercase"}};
  EXPECT_TRUE(has(error(), "its normalizer (Lowercase)"));
  json["normalizer"] = nullptr;
  EXPECT_TRUE(has(error(), "its normalizer (nothing)"));
}

TEST_F(Tokenizers, WholeWordsThatAreNotTakenAreNotedWhereMergesDoNotMakeThem) {
  json["model"]["ignore_merges"] = false;
  read(5);
  EXPECT_TRUE(notes.empty()) << notes.front();  // "ab" is merged
  json["model"]["vocab"] = {{"a", 0}, {"b", 1}, {"ab", 2}, {"aba", 3}, {"bb", 4}};
  json["added_tokens"][0]["id"] = 5;
  json["added_tokens"][1]["id"] = 6;
  json["model"]["merges"] = {"b b", "a b", "a ba"};
  read(7);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_TRUE(has(notes[0], "ignore_merges is not set"));
  EXPECT_TRUE(has(notes[0], "the 1 tokens"));  // "a b a" becomes "ab a", and stays so
}

TEST_F(Tokenizers, MergesMayBePairs) {
  json["model"]["merges"] = Json::array({Json::array({"a", "b"})});
  EXPECT_EQ(read().merges, std::vector<std::string>{"a b"});
  for (const Json& bad :
       {Json("ab"), Json("a b c"), Json::array({"a"}), Json::array({"a", "b c"}), Json(5), Json(" b")}) {
    json["model"]["merges"] = Json::array({bad});
    EXPECT_TRUE(has(error(), "model.merges: entry 0 is no pair"));
  }
}

TEST_F(Tokenizers, APieceThatStandsTwiceIsRefused) {
  for (const char* again : {"\"ab\":2,\"ab\":2", "\"ab\":2,\"ab\":5", "\"ab\":2,\"a\\u0062\":6"}) {
    replaced = "\"ab\":2";
    with = again;
    EXPECT_TRUE(has(error(), "model.vocab: the key 'ab' stands twice; it is damaged")) << again;
  }
  replaced = "[\"a b\"]";
  with = "[\"a b\"],\"merges\":[\"a b\"]";
  EXPECT_TRUE(has(error(), "the key 'merges' stands twice in one object"));
}

TEST_F(Tokenizers, TokensThatContradictEachOtherAreRefused) {
  EXPECT_TRUE(has(error(4), "token 4 '<tool>' is beyond the embedding's 4 rows"));
  json["added_tokens"][1]["id"] = 2;
  EXPECT_TRUE(has(error(), "token 2 '<tool>' was 'ab' before"));
  json["added_tokens"][1] = {{"id", 7}, {"content", "ab"}};
  EXPECT_TRUE(has(error(), "token 7 'ab' is spelled as token 2"));
  json["added_tokens"][1] = {{"id", 7}};
  EXPECT_TRUE(has(error(), "has no spelling"));
  json["added_tokens"][1] = {{"content", "x"}};
  EXPECT_TRUE(has(error(), "has no id"));
  json["added_tokens"] = nullptr;
  json["model"]["vocab"]["ab"] = 1;
  EXPECT_TRUE(has(error(), "token 1"));
  json["model"]["vocab"]["ab"] = -1;
  EXPECT_TRUE(has(error(), "no whole number"));
}

// Who saves with that library has no gaps: the file was changed since, and the numbers are of the embedding's
// rows.
TEST_F(Tokenizers, AddedTokensHaveTheirOwnNumbersAndANoteWhereTheyWouldBeCounted) {
  read(5);
  EXPECT_TRUE(notes.empty());
  json["added_tokens"][1]["id"] = 5;
  const HfVocabulary v = read(6);
  EXPECT_EQ(v.tokens[3], "<|begin_of_text|>");
  EXPECT_EQ(v.tokens[5], "<tool>");
  ASSERT_EQ(notes.size(), 2U);  // and that row 4 is filled in
  EXPECT_TRUE(has(notes[0],
                  "'<tool>' is token 5; Hugging Face's library counts on from the vocabulary and "
                  "gives it 4"));
}

TEST_F(Tokenizers, OtherKindsAreRefused) {
  json["model"]["type"] = "Unigram";
  EXPECT_TRUE(has(error(), "the type 'Unigram' is not supported"));
  json["model"]["type"] = "BPE";
  json["model"]["end_of_word_suffix"] = "</w>";
  EXPECT_TRUE(has(error(), "end_of_word_suffix is set"));
  json.erase("model");
  EXPECT_TRUE(has(error(), "has no model"));
}

TEST_F(Tokenizers, SpecialTokensComeFromTheirFiles) {
  write_file(directory.file("tokenizer_config.json"),
             R"({"bos_token":"<|begin_of_text|>","eos_token":{"content":"ab"},"pad_token":null})");
  write_file(directory.file("generation_config.json"), R"({"eos_token_id":[2,1]})");
  config["pad_token_id"] = 0U;
  const HfVocabulary v = read();
  EXPECT_EQ(v.bos, 3U);
  EXPECT_EQ(v.eos, 2U);
  EXPECT_EQ(v.eot, 1U);
  EXPECT_EQ(v.eom, std::nullopt);
  EXPECT_EQ(v.pad, 0U);
  EXPECT_FALSE(v.add_bos);
}

TEST_F(Tokenizers, ATemplateSaysWhetherTextsBeginWithBos) {
  config["bos_token_id"] = 3U;
  json["post_processor"] = {
      {"type", "Sequence"},
      {"processors",
       {byte_level(true),
        {{"type", "TemplateProcessing"},
         {"single", {{{"SpecialToken", {{"id", "<|begin_of_text|>"}}}}, {{"Sequence", {{"id", "A"}}}}}}}}}};
  EXPECT_TRUE(read().add_bos);
  write_file(directory.file("tokenizer_config.json"), R"({"add_bos_token":false})");
  EXPECT_FALSE(read().add_bos);
}

TEST_F(Tokenizers, TheChatTemplateIsThatOfItsOwnFileFirst) {
  EXPECT_EQ(read().chat_template, "");
  write_file(directory.file("tokenizer_config.json"),
             R"({"chat_template":[{"name":"tool_use","template":"t"},{"name":"default","template":"d"}]})");
  EXPECT_EQ(read().chat_template, "d");
  write_file(directory.file("tokenizer_config.json"), R"({"chat_template":"one"})");
  EXPECT_EQ(read().chat_template, "one");
  write_file(directory.file("chat_template.jinja"), "{{ bos_token }}");
  EXPECT_EQ(read().chat_template, "{{ bos_token }}");
}

TEST_F(Tokenizers, AFolderWithoutATokenizerIsRefused) {
  std::vector<std::string> none;
  EXPECT_THROW(convert::read_hf_vocabulary(directory.path(), config, 9, none), ModelError);
}

TEST_F(Tokenizers, MergesOfSentencePieceBecomeTheScoresThatTheyWereMadeOf) {
  make_sentencepiece();
  const HfVocabulary v = read();
  EXPECT_EQ(v.model, "llama");
  EXPECT_EQ(v.pre, "");
  EXPECT_EQ(v.add_space_prefix, true);
  EXPECT_TRUE(v.add_bos);  // LlamaTokenizer's habit
  EXPECT_EQ(v.types[0], TokenType::unknown);
  EXPECT_EQ(v.types[1], TokenType::control);
  EXPECT_EQ(v.types[2], TokenType::byte);
  EXPECT_GT(v.scores[8], v.scores[3]);  // "a b" before "b c"
  EXPECT_GT(v.scores[3], v.scores[4]);
  EXPECT_GT(v.scores[4], v.scores[5]);  // which nothing makes
}

TEST_F(Tokenizers, MetaspaceSaysWhetherASpaceGoesBeforeText) {
  make_sentencepiece();
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "first"}};
  EXPECT_EQ(read().add_space_prefix, true);
  json["pre_tokenizer"]["prepend_scheme"] = "never";
  EXPECT_EQ(read().add_space_prefix, false);
  json["pre_tokenizer"]["replacement"] = "_";
  EXPECT_TRUE(has(error(), "are not SentencePiece's"));
}

TEST_F(Tokenizers, MergesThatNoScoresGiveAreRefused) {
  make_sentencepiece();
  json["model"]["merges"] = {"a b", "a bc", "b c", "ab c"};
  EXPECT_TRUE(has(error(), "those that make 'abc' do not stand together"));
  json["model"]["merges"] = {"a b", "b c", "ab c"};
  EXPECT_TRUE(has(error(), "'abc' is not made of 'a' and 'bc', which SentencePiece would do"));
}

TEST_F(Tokenizers, ASentencePieceModelGoesBeforeItsJson) {
  make_sentencepiece();
  write_file(directory.file("tokenizer.model"),
             sentencepiece_of({{"<unk>", 0, 2}, {"</s>", 0, 3}, {"x", -1.5F}, {"<0x41>", 0, 6}}));
  write_file(directory.file("added_tokens.json"), R"({"<pad>":4})");
  write_file(
      directory.file("tokenizer_config.json"),
      R"({"added_tokens_decoder":{"1":{"content":"</s>","special":true},"5":{"content":"<extra>","special":false}}})");
  const HfVocabulary v = read(7);
  EXPECT_EQ(v.tokens,
            (std::vector<std::string>{"<unk>", "</s>", "x", "<0x41>", "<pad>", "<extra>", "[PAD6]"}));
  EXPECT_EQ(v.scores[2], -1.5F);
  EXPECT_EQ(v.scores.size(), 7U);
  EXPECT_EQ(v.types, (std::vector{TokenType::unknown, TokenType::control, TokenType::normal, TokenType::byte,
                                  TokenType::control, TokenType::user_defined, TokenType::unused}));
}

std::string sentencepiece_error(const std::string& bytes) {
  try {
    convert::read_sentencepiece(std::as_bytes(std::span(bytes)), "x");
  } catch (const ModelError& error) {
    return error.what();
  }
  return {};
}

TEST(SentencePieceFile, ReadsPiecesAndTheirPrefix) {
  const std::string bytes = sentencepiece_of({{"a", -2}, {"b", -1, 4}}, 2, false);
  const convert::SentencePieceFile file = convert::read_sentencepiece(std::as_bytes(std::span(bytes)), "x");
  EXPECT_EQ(file.pieces, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(file.scores, (std::vector<float>{-2, -1}));
  EXPECT_EQ(file.types, (std::vector{TokenType::normal, TokenType::user_defined}));
  EXPECT_FALSE(file.add_space_prefix);
}

// What its kind is stands behind the pieces.
TEST(SentencePieceFile, EveryCutBeforeItsKindIsRefused) {
  const std::string bytes = sentencepiece_of({{"a", -2}, {"bcd", -1}});
  const std::string kind("\x12\x02\x18\x02", 4);  // field 2, two bytes: field 3 is 2
  const std::size_t at = bytes.find(kind);
  ASSERT_NE(at, std::string::npos);
  for (std::size_t n = 0; n < at + kind.size(); ++n)
    EXPECT_NE(sentencepiece_error(bytes.substr(0, n)), "") << n;
}

TEST(SentencePieceFile, RefusesWhatIsDamagedOrOfAnotherKind) {
  EXPECT_TRUE(has(sentencepiece_error(""), "no pieces"));
  EXPECT_TRUE(has(sentencepiece_error(std::string(20, '\xFF')), "damaged"));  // a number without end
  EXPECT_TRUE(has(sentencepiece_error("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"),
                  "damaged"));                                                   // a length of 2^63
  EXPECT_TRUE(has(sentencepiece_error(std::string("\x0B", 1)), "damaged"));      // a group
  EXPECT_TRUE(has(sentencepiece_error(std::string("\x00\x01", 2)), "damaged"));  // field 0
  EXPECT_TRUE(has(sentencepiece_error(sentencepiece_of({{"a", 0, 9}})), "unknown type"));
  EXPECT_TRUE(has(sentencepiece_error(sentencepiece_of({{"a", HUGE_VALF}})), "no finite score"));
  EXPECT_TRUE(has(sentencepiece_error(sentencepiece_of({{"a", 0}}, 1)), "another kind than BPE"));
}

}  // namespace
}  // namespace bitnet::test
