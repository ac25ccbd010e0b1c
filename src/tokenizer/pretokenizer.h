// Splits text into pre-tokens, the stretches within which byte-level BPE merges, by one of the published
// patterns. They are the same with every version of PCRE2: what a character is, the pattern doesn't ask it.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/function_ref.h"

namespace bitnet {

class Pretokenizer {
 public:
  // `name` is the value of tokenizer.ggml.pre; empty means llama-bpe. Throws ModelError for one that isn't
  // known.
  explicit Pretokenizer(std::string_view name);
  Pretokenizer(Pretokenizer&&) noexcept;
  Pretokenizer& operator=(Pretokenizer&&) noexcept;
  ~Pretokenizer();

  // Hands on every pre-token in order; together they are the text. A byte that is no part of a well-formed
  // UTF-8 character is a pre-token of its own. Throws RuntimeError if the pattern cannot be matched.
  void split(std::string_view text, FunctionRef<void(std::string_view)> emit) const;

  // A pre-token that is a token is taken as it is, even where merges would not lead to it ("ignore_merges").
  bool prefers_whole_tokens() const { return prefers_whole_tokens_; }
  // The family starts every text with BOS unless the file says otherwise.
  bool adds_bos() const { return adds_bos_; }
  // The family's text is brought to Unicode's normal form C before it is split, which is the caller's to do.
  bool normalizes_to_nfc() const { return normalizes_to_nfc_; }

 private:
  struct Pattern;
  std::unique_ptr<Pattern> pattern_;
  bool prefers_whole_tokens_ = false;
  bool adds_bos_ = false;
  bool normalizes_to_nfc_ = false;
};

// The value of tokenizer.ggml.pre that stands for an expression, as the models' own tokenizer.json files
// spell it: one whose family normalizes likewise, if there is such a one. nullopt: the expression is none of
// those that are known here.
std::optional<std::string_view> pretokenizer_of(std::string_view expression, bool normalizes_to_nfc);

}  // namespace bitnet
