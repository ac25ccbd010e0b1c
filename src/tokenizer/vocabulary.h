// What a model file says about its tokens, before it is checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/types.h"

namespace bitnet {

// tokenizer.ggml.token_type
enum class TokenType : std::int32_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

struct Vocabulary {
  std::string model;          // tokenizer.ggml.model: "gpt2" or "llama"
  std::string pre;            // tokenizer.ggml.pre; empty: the file doesn't say (llama-bpe is used)
  bool pre_was_read = false;  // by what wrote the file, in the tokenizer itself
  std::vector<std::string_view> pieces;  // [vocab] spelling of each token
  std::vector<float> scores;             // [vocab] for "llama"; may be empty for "gpt2"
  std::vector<std::int32_t> types;       // [vocab] TokenType; empty: all normal
  std::vector<std::string_view> merges;  // "left right", best first; "gpt2" only
  // Ids as the file gives them, unchecked; negative ones, which say that there is none, as they wrap around.
  std::optional<std::uint64_t> bos, eos, eot, eom, unk;
  std::optional<bool> add_bos, add_space_prefix;  // nullopt: the family's habit
};

}  // namespace bitnet
