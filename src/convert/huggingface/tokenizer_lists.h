// model.vocab and model.merges, the bulk of a tokenizer.json: taken as they are read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convert/huggingface/json_file.h"

namespace bitnet::convert {

// "left right", as GGUF has it.
std::string joined_merge(std::string_view left, std::string_view right);

class TokenizerLists : public JsonTaker {
 public:
  struct Piece {
    std::string spelling;
    std::optional<std::uint64_t> id;  // none: it is no whole number
  };

  std::vector<Piece> vocab;         // as the file has it: spellings and ids may come twice
  std::vector<std::string> merges;  // "left right"; empty: it is no pair of pieces

  bool takes(std::span<const std::string> path, bool is_object) override;
  void take(std::string& key, Json& value) override;

 private:
  bool in_vocab_ = false;
};

}  // namespace bitnet::convert
