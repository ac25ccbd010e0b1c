// The pieces of a Jinja text, and what its expressions are worth. Nothing is executed beyond that.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bitnet {

struct JinjaPiece {
  enum class Kind { text, expression, statement, comment };
  Kind kind;
  std::string_view whole;
  std::string_view inner;  // without the signs around it and white space
};

// Takes the first piece off `jinja`, which is not empty. What has no end goes on to the text's.
JinjaPiece take_jinja_piece(std::string_view& jinja);

// "if", "endfor": the word that a statement begins with; empty for other pieces.
std::string_view keyword_of(const JinjaPiece& piece);

// What a name stands for while an expression is evaluated.
struct JinjaValue {
  enum class Kind { undefined, boolean, text };
  Kind kind = Kind::undefined;
  bool is_true = false;
  std::string text{};

  bool truth() const { return kind == Kind::boolean ? is_true : kind == Kind::text && !text.empty(); }
};

// Of names, strings, true and false, joined by + ~ not and or == != "is [not] TEST", "| default(X)" and
// "X if Y else Z". Two names have a value: add_generation_prompt, which is true, and enable_thinking, which
// is as given; nullopt: undefined, as all the others are. Nullopt for an expression of another kind.
std::optional<JinjaValue> evaluate_jinja(std::string_view expression, std::optional<bool> enable_thinking);

}  // namespace bitnet
