#include "tokenizer/recognise_thinking.h"

#include <optional>
#include <string>
#include <vector>

#include "tokenizer/jinja.h"

namespace bitnet {
namespace {

// What the last "if" that asks for add_generation_prompt begins: that piece and all behind it; empty where
// there is none.
std::string_view generation_part(std::string_view jinja) {
  std::string_view found;
  for (std::string_view rest = jinja; !rest.empty();) {
    const std::string_view here = rest;
    const JinjaPiece piece = take_jinja_piece(rest);
    const bool asks = piece.inner.find("add_generation_prompt") != std::string_view::npos;
    if (keyword_of(piece) == "if" && asks) found = here;
  }
  return found;
}

std::string_view condition_of(const JinjaPiece& piece) {
  return piece.inner.substr(keyword_of(piece).size());
}

// What the "if" at the start writes up to its end. Nullopt: it has something that is not understood.
std::optional<std::string> written(std::string_view jinja, std::optional<bool> enable_thinking) {
  struct If {
    bool writes;   // the branch at hand
    bool is_done;  // one of the branches has written, or the whole stands in a branch that doesn't
  };
  std::vector<If> open;
  std::string out;
  while (!jinja.empty()) {
    const JinjaPiece piece = take_jinja_piece(jinja);
    const std::string_view keyword = keyword_of(piece);
    if (keyword == "if" || keyword == "elif") {
      const auto condition = evaluate_jinja(condition_of(piece), enable_thinking);
      if (!condition) return std::nullopt;
      if (keyword == "if") {
        open.push_back({false, !open.empty() && !open.back().writes});
      }
      open.back().writes = !open.back().is_done && condition->truth();
      open.back().is_done = open.back().is_done || open.back().writes;
    } else if (keyword == "else") {
      open.back().writes = !open.back().is_done;
    } else if (keyword == "endif") {
      open.pop_back();
      if (open.empty()) return out;
    } else if (!keyword.empty() && keyword != "set") {
      return std::nullopt;
    } else if (open.back().writes && piece.kind == JinjaPiece::Kind::expression) {
      const auto value = evaluate_jinja(piece.inner, enable_thinking);
      if (!value || value->kind == JinjaValue::Kind::boolean) return std::nullopt;
      out += value->text;
    } else if (open.back().writes && piece.kind == JinjaPiece::Kind::text) {
      const bool is_layout = piece.whole.find_first_not_of(" \t\r\n") == std::string_view::npos;
      if (!is_layout) out += piece.whole;
    }
  }
  return std::nullopt;
}

std::optional<Thinking> form_of(std::string_view jinja, std::optional<bool> enable_thinking) {
  const auto text = written(jinja, enable_thinking);
  if (!text) return std::nullopt;
  constexpr std::string_view kHeader = "assistant\n";
  const std::size_t header = text->rfind(kHeader);
  if (header == std::string::npos) return std::nullopt;
  const std::string_view before_answer = std::string_view(*text).substr(header + kHeader.size());
  if (before_answer.empty()) return Thinking::free;
  if (before_answer == "<think>\n") return Thinking::begun;
  if (before_answer == "<think>\n\n</think>\n\n") return Thinking::skipped;
  return std::nullopt;
}

}  // namespace

ThinkingForms recognise_thinking(std::string_view jinja) {
  if (jinja.find("</think>") == std::string_view::npos && jinja.find("<think>") == std::string_view::npos) {
    return {};
  }
  const std::string_view part = generation_part(jinja);
  const auto unasked = form_of(part, std::nullopt);
  if (!unasked) return {.is_other = true};
  ThinkingForms forms{.unasked = *unasked, .on = form_of(part, true), .off = form_of(part, false)};
  if (forms.on == Thinking::skipped) forms.on.reset();
  if (forms.off != Thinking::skipped) forms.off.reset();
  return forms;
}

}  // namespace bitnet
