// Text to token ids and back.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/export.h"
#include "bitnet/types.h"

namespace BITNET_API bitnet {

struct Vocabulary;  // internal: what a model file says about its tokens

struct EncodeOptions {
  bool add_bos = false;  // put the vocabulary's BOS first, if it wants one and the text doesn't start with it
  bool parse_special =
      false;  // recognise control tokens ("<|eot_id|>") in the text; never do this to user text
  bool continues_text = false;  // it follows other text: SentencePiece puts no space before it
};

// A token of a text and the bytes of the text, [begin, end), that it stands for.
struct TokenSpan {
  TokenId id;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Immutable after construction; may be shared between threads.
class Tokenizer {
 public:
  // The vocabulary's string views must outlive the tokenizer. Throws ModelError for a vocabulary it can't
  // serve.
  explicit Tokenizer(Vocabulary vocabulary);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Any bytes are accepted; bytes that are not UTF-8 become the byte tokens of their values. User-defined
  // tokens are recognised in any text. Throws UsageError if the vocabulary has no token for a byte of the
  // text, and for a text of more than 1 GiB.
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const;

  // The same, with the place of each token. The spans follow one another without a gap; a BOS that was added
  // has an empty one, as has a space that SentencePiece put before the text.
  std::vector<TokenSpan> encode_spans(std::string_view text, EncodeOptions options = {}) const;

  // The way back, byte for byte and not made valid UTF-8: the text that the ids were encoded from, whatever
  // its bytes, if the vocabulary could express it; but U+2581 comes back from SentencePiece as the space that
  // it stands for there, and text of a vocabulary that wants it so in Unicode's normal form C. Control and
  // unknown tokens as in bytes_of.
  std::string decode(std::span<const TokenId> ids, bool with_special = false) const;

  // The bytes that a token stands for; control and unknown tokens stand for nothing unless `with_special`,
  // and then for their spelling. Ids outside the vocabulary stand for nothing. The view lives as long as the
  // tokenizer.
  std::string_view bytes_of(TokenId id, bool with_special = false) const;

  // The token whose vocabulary spelling is exactly `spelling` ("<|eot_id|>").
  std::optional<TokenId> find(std::string_view spelling) const;

  bool is_control(TokenId id) const;
  bool is_hidden(TokenId id) const;  // a control or unknown token: it stands for nothing in the text
  std::size_t vocab_size() const;
  std::optional<TokenId> bos() const;  // the id, whether or not the file wants it added
  std::optional<TokenId> eos() const;
  bool adds_bos() const;           // the file (or its family's habit) wants BOS first, and names one
  bool adds_space_prefix() const;  // SentencePiece: text is encoded with a space put before it
  // Every id that ends a generation by the file's own word: its end of text, of turn and of message (eos,
  // eot, eom), and control tokens spelled like an end of turn.
  std::span<const TokenId> end_tokens() const;  // sorted, no duplicates

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Turns a stream of tokens into a stream of valid UTF-8: bytes of an unfinished character are held back until
// the rest comes; bytes that can never become valid turn into U+FFFD, one per maximal ill-formed part.
class Detokenizer {
 public:
  // The tokenizer must outlive the detokenizer. `starts_text`: the tokens are a text from its start on, so
  // that the space that SentencePiece put before it is taken off again; false for tokens that continue other
  // text.
  explicit Detokenizer(const Tokenizer& tokenizer, bool with_special = false, bool starts_text = true);

  // Appends to `out` the text that became certain with this token.
  void push(TokenId id, std::string& out);
  // Appends what was held back, made valid. The stream starts anew.
  void flush(std::string& out);

 private:
  const Tokenizer* tokenizer_;
  bool with_special_;
  bool takes_space_;
  std::string pending_;
  bool at_start_;  // a first space is still to be taken off
};

}  // namespace bitnet
