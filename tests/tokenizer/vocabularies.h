// Vocabularies for tests, and small helpers to write expectations with.
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace bitnet::test {

// A vocabulary put together piece by piece; owns the spellings.
class VocabularyBuilder {
 public:
  explicit VocabularyBuilder(std::string model, std::string pre = "");
  VocabularyBuilder(VocabularyBuilder&&) = default;  // a deque's strings stay where they are when it is moved

  std::int32_t add(std::string_view piece, TokenType type = TokenType::normal, float score = 0.0F);
  // All 256 single bytes: in GPT-2's alphabet, or as "<0xNN>" for SentencePiece.
  void add_bytes();
  void add_merge(std::string_view line);
  // The merge of two pieces and the piece they make.
  std::int32_t add_merged(const std::string& left, const std::string& right);
  Vocabulary& operator*() { return vocabulary_; }
  Vocabulary* operator->() { return &vocabulary_; }
  // The builder must outlive the tokenizer.
  Tokenizer build() const { return Tokenizer(vocabulary_); }

 private:
  std::string_view keep(std::string_view text) { return texts_.emplace_back(text); }

  std::deque<std::string> texts_;
  Vocabulary vocabulary_;
};

// The canary's own vocabulary, from its file, which stays open.
Vocabulary canary_vocabulary();
const Tokenizer& canary_tokenizer();

// GPT-2's alias of a byte, by the table's definition (and not by the code under test).
std::string alias_of(unsigned char byte);

std::vector<std::int32_t> ints(const std::vector<TokenId>& ids);
std::vector<std::int32_t> encode(const Tokenizer& tokenizer, std::string_view text,
                                 EncodeOptions options = {});
std::string decode(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids);

// `length` draws from `alphabet`.
std::string random_text(std::mt19937& random, std::string_view alphabet, std::size_t length);

}  // namespace bitnet::test
