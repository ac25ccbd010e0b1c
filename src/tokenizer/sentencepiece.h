// SentencePiece BPE (tokenizer.ggml.model = "llama"): text begins as its characters, and adjacent pairs merge
// into the token with the highest score. Spaces are written U+2581; characters without a token become byte
// tokens.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/merger.h"
#include "tokenizer/piece_joints.h"
#include "tokenizer/text_encoder.h"
#include "tokenizer/token_table.h"

namespace bitnet {

class SentencePiece : public TextEncoder {
 public:
  struct Options {
    bool add_space_prefix = true;
    bool byte_spellings = false;          // the file gives no types: tokens spelled "<0xNN>" are byte tokens
    std::optional<std::int32_t> unknown;  // stands for characters that not even byte tokens can express
  };

  // scores: [vocab]. The table must outlive this. Throws ModelError if there are no scores, a score is not a
  // number, or a byte token isn't spelled like one.
  SentencePiece(const TokenTable& table, std::span<const float> scores, Options options);

  void encode(std::string_view text, bool starts, std::vector<TokenId>& out) const override;
  void append_bytes(std::int32_t id, std::string& out) const override;
  bool adds_bos() const override { return true; }
  bool adds_space_prefix() const override { return options_.add_space_prefix; }

 private:
  bool is_byte(std::int32_t id) const;
  std::int32_t find_for_text(std::string_view spelling) const;
  void merge_part(std::string_view part, Merger& merger, std::vector<TokenId>& out) const;
  void append_fallback(std::string_view character, std::vector<TokenId>& out) const;

  const TokenTable* table_;
  Options options_;
  std::vector<std::uint32_t> ranks_;  // [vocab] 0 for the highest score; equal for equal scores
  std::array<std::int32_t, 256> byte_tokens_{};
  PieceJoints joints_;
};

}  // namespace bitnet
