// What a folder's tokenizer does and a GGUF file cannot say: it is refused or noted, never left out in
// silence.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "convert/tokenizer_folder.h"
#include "gguf/key_values.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

class UnlikeGguf : public TokenizerFolder {
 protected:
  static Json special(const std::string& name) { return {{"SpecialToken", {{"id", name}, {"type_id", 0}}}}; }
  static Json text() { return {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}; }
  void put_template(const Json& single, const Json& special_tokens = Json::object()) {
    json["post_processor"] = {
        {"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", special_tokens}};
  }
  // The only note; what is filled in is none of these tests'.
  std::string note() {
    notes.clear();
    read(5);
    EXPECT_EQ(notes.size(), 1U);
    return notes.empty() ? std::string() : notes[0];
  }
  // Without the rows that no token has.
  void write_model() {
    make_sentencepiece();
    write_file(directory.file("tokenizer.model"),
               sentencepiece_of({{"<unk>", 0, 2}, {"</s>", 0, 3}, {"x", -1.5F}, {"<0x41>", 0, 6}}));
    json["added_tokens"].push_back({{"id", 4}, {"content", "<turn>"}, {"special", true}});
  }
};

TEST_F(UnlikeGguf, SpacesThatMetaspaceLeavesOutAreNoted) {
  make_sentencepiece();
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "first"}};
  read();
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_TRUE(has(notes[0], "no space before a text that begins with one, nor behind a special token"));
  notes.clear();
  json["pre_tokenizer"]["prepend_scheme"] = "always";
  read();
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_TRUE(has(notes[0], "no space before a text that begins with one, which"));
  notes.clear();
  json["pre_tokenizer"]["prepend_scheme"] = "never";
  read();
  EXPECT_TRUE(notes.empty());
}

TEST_F(UnlikeGguf, SeveralTokensBeforeOrBehindEveryTextAreRefused) {
  put_template({special("<|begin_of_text|>"), special("<tool>"), text()});
  EXPECT_TRUE(has(error(5), "puts 2 tokens before every text"));
  put_template({text(), special("ab"), special("<tool>")});
  EXPECT_TRUE(has(error(5), "puts 2 tokens behind every text"));
  const Json two = {{"start", {{"id", "start"}, {"ids", {3, 4}}}}};
  put_template({special("start"), text()}, two);
  EXPECT_TRUE(has(error(5), "puts 2 tokens before every text"));
  // Of two steps, each of which puts one.
  put_template({special("<tool>"), text()});
  const Json once = json["post_processor"];
  json["post_processor"] = {{"type", "Sequence"}, {"processors", {once, once}}};
  EXPECT_TRUE(has(error(5), "puts 2 tokens before every text"));
}

TEST_F(UnlikeGguf, ATemplatesNameStandsForItsIds) {
  config["bos_token_id"] = 3U;
  put_template({special("start"), text()}, {{"start", {{"id", "start"}, {"ids", {4}}}}});
  EXPECT_EQ(read(5).bos, 4U);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_TRUE(has(notes[0], "texts begin with '<tool>', which is taken as BOS"));
}

TEST_F(UnlikeGguf, BertsAndRobertasFormsSayWhatIsAroundATextToo) {
  config["bos_token_id"] = 3U;
  config["eos_token_id"] = 2U;
  for (const char* type : {"BertProcessing", "RobertaProcessing"}) {
    json["post_processor"] = {{"type", type}, {"cls", {"<|begin_of_text|>", 3}}, {"sep", {"ab", 2}}};
    const HfVocabulary v = read(5);
    EXPECT_TRUE(v.add_bos) << type;
    EXPECT_TRUE(v.add_eos) << type;
    EXPECT_TRUE(notes.empty()) << type;
  }
}

TEST_F(UnlikeGguf, ALastTokenThatIsNotEosIsNoted) {
  config["eos_token_id"] = 2U;
  put_template({text(), special("<tool>")});
  EXPECT_TRUE(has(note(), "texts end with '<tool>'"));
  EXPECT_FALSE(read(5).add_eos);
  put_template({text(), special("ab")});
  EXPECT_TRUE(read(5).add_eos);
}

TEST_F(UnlikeGguf, FlagsOfAddedTokensAreNoted) {
  json["added_tokens"][1]["rstrip"] = true;
  EXPECT_TRUE(has(note(), "lstrip or rstrip of '<tool>' cannot be said in a GGUF file"));
  json["added_tokens"][0]["lstrip"] = true;
  EXPECT_TRUE(has(note(), "of '<|begin_of_text|>' and 1 more"));
  json["added_tokens"][0]["lstrip"] = json["added_tokens"][1]["rstrip"] = false;
  json["added_tokens"][1]["single_word"] = true;
  EXPECT_TRUE(has(note(), "single_word of '<tool>'"));
  json["added_tokens"][1]["single_word"] = false;
  json["added_tokens"][1]["normalized"] = true;  // of a text that no step changes
  notes.clear();
  read(5);
  EXPECT_TRUE(notes.empty());
}

TEST_F(UnlikeGguf, ATokenThatIsLookedForInNormalizedTextIsNotedWhereThatBeginsWithASpace) {
  make_sentencepiece();
  json["added_tokens"][1]["normalized"] = true;
  read();
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_TRUE(has(notes[0], "normalized of '</s>'"));
}

// The library never finds them in a text, where a space stands, and merges them.
TEST_F(UnlikeGguf, AddedTokensOfSpacesAreOrdinaryOnes) {
  make_sentencepiece();
  json["model"]["vocab"]["\u2581\u2581"] = 9;
  json["model"]["vocab"]["\u2581"] = 10;
  json["model"]["merges"].insert(json["model"]["merges"].begin(), "\u2581 \u2581");
  json["added_tokens"].push_back({{"id", 9}, {"content", "\u2581\u2581"}, {"special", false}});
  const HfVocabulary v = read(11);
  EXPECT_EQ(v.types[9], TokenType::normal);
  EXPECT_GT(v.scores[9], v.scores[8]);
}

// Who has a token that no merge makes must not find it in runs of spaces.
TEST_F(UnlikeGguf, AddedTokensOfSpacesThatNoMergeMakesAreNotMade) {
  make_sentencepiece();
  json["added_tokens"].push_back({{"id", 9}, {"content", "\u2581\u2581"}, {"special", false}});
  EXPECT_EQ(read(10).types[9], TokenType::user_defined);
  write_model();
  write_file(directory.file("tokenizer_config.json"),
             R"({"added_tokens_decoder":{"5":{"content":"\u2581\u2581","special":false}}})");
  EXPECT_EQ(read(10).types[5], TokenType::user_defined);
}

TEST_F(UnlikeGguf, ATemplateOfAnySizeIsCountedAndNotBuilt) {
  const std::string huge(100'000, 'x');
  json["added_tokens"][1]["content"] = huge;
  Json single = Json::array();
  for (int i = 0; i < 2000; ++i) single.push_back(special("s"));
  put_template(single, {{"s", {{"id", "s"}, {"ids", std::vector<int>(2000, 4)}}}});
  EXPECT_TRUE(has(error(5), "puts 4000000 tokens before every text"));
}

TEST_F(UnlikeGguf, AFirstTokenIsBosWhereNothingNamesOne) {
  put_template({special("<tool>"), text()});
  EXPECT_EQ(read(5).bos, 4U);
  EXPECT_TRUE(notes.empty());
  put_template({special("<zzz>"), text()});
  EXPECT_TRUE(has(note(), "texts begin with '<zzz>', which is no token of the vocabulary"));
}

// Of a control token no letter may be typed.
TEST_F(UnlikeGguf, TokensThatOnlyTheJsonAddsToASentencePieceModelKeepTheirTypes) {
  write_model();
  write_file(directory.file("added_tokens.json"), R"({"<turn>":4,"<extra>":5})");
  const HfVocabulary v = read(6);
  EXPECT_EQ(v.tokens[4], "<turn>");
  EXPECT_EQ(v.types[4], TokenType::control);
  EXPECT_EQ(v.types[5], TokenType::user_defined);
  EXPECT_TRUE(notes.empty());
}

TEST_F(UnlikeGguf, TokensThatOnlyTheJsonHasWhereThereIsNoPlaceAreNoted) {
  write_model();
  json["added_tokens"] = {{{"id", 2}, {"content", "<a>"}, {"special", true}},
                          {{"id", 9}, {"content", "<b>"}, {"special", true}}};
  const HfVocabulary v = read(4);
  EXPECT_EQ(v.tokens[2], "x");
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_TRUE(has(notes[0], "'<a>' is left out: another token has the id 2"));
  EXPECT_TRUE(has(notes[1], "'<b>' is left out: the embedding has no row 9"));
}

TEST_F(UnlikeGguf, AJsonThatContradictsItsSentencePieceModelIsNoted) {
  write_model();
  json["normalizer"] = json["normalizer"]["normalizers"][1];
  EXPECT_EQ(read(5).add_space_prefix, true);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_TRUE(has(notes[0], "puts no space before a text, tokenizer.model does: the latter is taken"));
}

TEST_F(UnlikeGguf, TheExpressionOfGpt2IsKeptBesideTheNamesOfLlama3) {
  json["pre_tokenizer"] = byte_level(true);
  json["model"]["ignore_merges"] = false;
  json["added_tokens"][1]["content"] = "<|eot_id|>";
  gguf::KeyValues keys;
  convert::put_vocabulary(keys, read(5));
  EXPECT_TRUE(keys.has("ternary.tokenizer.pre"));
}

TEST_F(UnlikeGguf, AllThatEndsATextInConfigJsonIsKeptWhereThereIsNoGenerationConfig) {
  config["eos_token_id"] = {2U, 4U};
  HfVocabulary v = read(5);
  EXPECT_EQ(v.eos, 2U);
  EXPECT_EQ(v.eot, 4U);
  write_file(directory.file("tokenizer_config.json"), R"({"eos_token":"<tool>"})");
  config["eos_token_id"] = {4U, 3U, 1U, 99U};  // the last two are a letter and nothing
  v = read(5);
  EXPECT_EQ(v.eos, 4U);
  EXPECT_EQ(v.eot, 3U);
  EXPECT_EQ(v.eom, std::nullopt);
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_TRUE(has(notes[0], "config.json: eos_token_id 1 is no control token"));
  EXPECT_TRUE(has(notes[1], "config.json: eos_token_id 99 is no control token"));
  write_file(directory.file("generation_config.json"), R"({"eos_token_id":4})");
  v = read(5);
  EXPECT_EQ(v.eot, std::nullopt);
}

}  // namespace
}  // namespace bitnet::test
