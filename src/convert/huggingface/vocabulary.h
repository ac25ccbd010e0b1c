// A folder's tokenizer as a GGUF file has it: the keys tokenizer.*.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convert/huggingface/json_file.h"
#include "gguf/key_values.h"
#include "tokenizer/vocabulary.h"

namespace bitnet::convert {

struct HfVocabulary {
  std::string model;                // "gpt2": byte-level BPE, or "llama": SentencePiece
  std::string pre;                  // of "gpt2"
  std::vector<std::string> tokens;  // [vocab]
  std::vector<TokenType> types;     // [vocab]
  std::vector<float> scores;        // [vocab], of "llama"
  std::vector<std::string> merges;  // "left right", best first; of "gpt2"
  bool add_bos = false;
  bool add_eos = false;
  std::optional<bool> add_space_prefix;  // of "llama"
  std::optional<std::uint32_t> bos, eos, eot, eom, unk, pad;
  std::string chat_template;  // empty: none

  // The token of that spelling.
  std::optional<std::uint32_t> find(std::string_view spelling) const;
  // Whether it is user-defined and spelled with U+2581, of a SentencePiece vocabulary: no text has it, which
  // has a space there. Where the model makes it of others as well it is an ordinary one.
  bool is_added_space(std::size_t id) const;
};

// What is read, where it is there.
inline constexpr std::array<std::string_view, 7> kVocabularyFiles{
    "tokenizer.json",    "tokenizer.model",     "tokenizer_config.json", "generation_config.json",
    "added_tokens.json", "chat_template.jinja", "chat_template.json"};

// Of the folder's tokenizer.json or tokenizer.model, and what tokenizer_config.json, generation_config.json,
// added_tokens.json, chat_template.jinja and `config` (of config.json) say beside. `n_rows`: of the
// embedding; rows without a token get one that no text has. What a reader should know goes to `notes`. Throws
// ModelError for a tokenizer that is missing, damaged, or works in a way that has no name here: it is never
// guessed.
HfVocabulary read_hf_vocabulary(const std::string& folder, const Json& config, std::uint64_t n_rows,
                                std::vector<std::string>& notes);

void put_vocabulary(gguf::KeyValues& keys, const HfVocabulary& vocabulary);

}  // namespace bitnet::convert
