// tokenizer.model, SentencePiece's file: a protocol buffer of the pieces with their scores, and how text is
// normalized. Format: sentencepiece_model.proto of https://github.com/google/sentencepiece.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace bitnet::convert {

struct SentencePieceFile {
  std::vector<std::string> pieces;
  std::vector<float> scores;
  std::vector<TokenType> types;
  bool add_space_prefix = true;
};

// Throws ModelError for what is damaged, and for a model that is not BPE or changes text in a way that no
// GGUF file says. `shown` names the file.
SentencePieceFile read_sentencepiece(std::span<const std::byte> bytes, const std::string& shown);

}  // namespace bitnet::convert
