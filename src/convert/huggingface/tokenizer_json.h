// tokenizer.json, the file of Hugging Face's tokenizers library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "convert/huggingface/added_tokens.h"
#include "convert/huggingface/vocabulary.h"

namespace bitnet::convert {

// Byte-level BPE, whose pre-tokenizer is recognised by its expression, or SentencePiece's BPE, whose merges
// are turned into the scores that they were made of. Sets model, pre, tokens, types, scores, merges,
// add_space_prefix, and add_bos and add_eos where the file says so. Throws ModelError for everything else.
struct TokenizerJson {
  HfVocabulary vocabulary;
  std::string unknown;                       // spelling of the unknown token
  bool says_bos = false;                     // add_bos and add_eos are the file's word
  std::optional<std::string> first_special;  // what it puts before every text
  std::optional<std::string> last_special;   // and behind
};

// The folder has `path`. `n_rows`: of the embedding.
TokenizerJson read_tokenizer_json(const std::string& path, std::uint64_t n_rows,
                                  std::vector<std::string>& notes);

// Of a file beside a tokenizer.model: what that does not say, or says otherwise. nullopt: it was not made of
// a SentencePiece model.
struct JsonBesideModel {
  std::vector<AddedToken> added;
  std::optional<bool> puts_space_prefix;  // nullopt: its steps are not SentencePiece's
};
std::optional<JsonBesideModel> read_json_beside_model(const std::string& path,
                                                      std::vector<std::string>& notes);

}  // namespace bitnet::convert
