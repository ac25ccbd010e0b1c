// Byte-level BPE (tokenizer.ggml.model = "gpt2"): text is split into pre-tokens, each begins as its bytes,
// and adjacent pairs merge in the order of the file's list.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "tokenizer/merge_table.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/text_encoder.h"
#include "tokenizer/token_table.h"

namespace bitnet {

class ByteLevelBpe : public TextEncoder {
 public:
  // merges: "left right", best first, in the byte alphabet. A merge of or into something that is no token of
  // ordinary text can never apply and is left out. The table must outlive this. Throws ModelError for a merge
  // that isn't two pieces with one space between, and for an unknown pre-tokenizer.
  ByteLevelBpe(const TokenTable& table, std::span<const std::string_view> merges,
               std::string_view pretokenizer);

  void encode(std::string_view text, bool starts, std::vector<TokenId>& out) const override;
  void append_bytes(std::int32_t id, std::string& out) const override;
  bool normalizes_to_nfc() const override { return pretokenizer_.normalizes_to_nfc(); }
  bool adds_bos() const override { return pretokenizer_.adds_bos(); }
  bool adds_space_prefix() const override { return false; }

 private:
  const TokenTable* table_;
  Pretokenizer pretokenizer_;
  MergeTable merges_;
  std::array<std::int32_t, 256> byte_tokens_{};
};

}  // namespace bitnet
