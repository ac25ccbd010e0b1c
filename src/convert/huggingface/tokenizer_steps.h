// What tokenizer.json does to a text before its model and behind it: the normalizer, pre-tokenizer and
// post_processor, each one step or several.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convert/huggingface/json_file.h"

namespace bitnet::convert {

// SentencePiece's spelling of a space.
inline constexpr std::string_view kSpacePiece = "\u2581";

// A step, or those of a Sequence; `list` is what a Sequence calls them.
std::vector<const Json*> steps_of(const Json& tokenizer, const char* field, const char* list);

// What is said of steps that are not known.
std::string names_of(const std::vector<const Json*>& steps);

// Of a SentencePiece vocabulary: whether kSpacePiece is put before every text.
struct SpacePrefix {
  bool is_put = false;
  std::string unlike;  // which texts get other tokens than by a GGUF file; empty: none
};

// nullopt: the steps are not SentencePiece's.
std::optional<SpacePrefix> find_space_prefix(const Json& tokenizer);

// Whether the prefix is a normalizer's: it stands before the spelling of tokens that are looked for in
// normalized text, too.
bool prepends_space(const Json& tokenizer);

// The tokens that are put on one side of every text: how many, and the spelling of the first.
struct FrameSide {
  std::uint64_t n = 0;
  std::string first;
};

struct TextFrame {
  bool is_said = false;
  FrameSide before;
  FrameSide after;
};

// tokens: [vocab] by id.
TextFrame read_text_frame(const Json& tokenizer, std::span<const std::string> tokens);

}  // namespace bitnet::convert
