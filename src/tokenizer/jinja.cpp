#include "tokenizer/jinja.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace bitnet {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";
constexpr int kMaxDepth = 32;  // of parentheses: a file's text must not end our stack

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Behind the tag that opens at the start, "{{ ... }}" or "{% ... %}"; its end may stand in a quoted string.
std::size_t end_of_tag(std::string_view text) {
  const std::string_view close = text[1] == '{' ? "}}" : "%}";
  char quote = '\0';
  for (std::size_t at = 2; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != '\0') {
      if (c == '\\') {
        ++at;
      } else if (c == quote) {
        quote = '\0';
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (text.substr(at).starts_with(close)) {
      return at + close.size();
    }
  }
  return text.size();
}

std::string_view inner_part(std::string_view whole) {
  std::string_view inner = whole.substr(2);
  if (inner.ends_with("}}") || inner.ends_with("%}") || inner.ends_with("#}")) inner.remove_suffix(2);
  constexpr std::string_view kAround = "-+ \t\r\n";
  inner.remove_prefix(std::min(inner.find_first_not_of(kAround), inner.size()));
  return inner.substr(0, inner.find_last_not_of(kAround) + 1);  // npos + 1 is 0
}

// By recursive descent, a function for each precedence. A value that is missing is an expression that this
// does not know.
class Evaluator {
 public:
  using Value = std::optional<JinjaValue>;

  Evaluator(std::string_view text, std::optional<bool> enable_thinking)
      : rest_(text), enable_thinking_(enable_thinking) {}

  Value run() {
    Value value = conditional();
    return peek().empty() ? std::move(value) : std::nullopt;
  }

 private:
  static JinjaValue boolean(bool b) { return {.kind = JinjaValue::Kind::boolean, .is_true = b}; }

  Value conditional() {
    if (++depth_ > kMaxDepth) return std::nullopt;
    Value value = disjunction();
    if (value && take("if")) {
      const Value condition = disjunction();
      Value other = take("else") ? conditional() : JinjaValue{};
      if (!condition || !other) return std::nullopt;
      if (!condition->truth()) value = std::move(other);
    }
    --depth_;
    return value;
  }

  Value disjunction() {
    Value left = conjunction();
    while (left && take("or")) {
      Value right = conjunction();
      if (!right) return right;
      if (!left->truth()) left = std::move(right);
    }
    return left;
  }

  Value conjunction() {
    Value left = negation();
    while (left && take("and")) {
      Value right = negation();
      if (!right) return right;
      if (left->truth()) left = std::move(right);
    }
    return left;
  }

  Value negation() {
    bool negates = false;
    while (take("not")) negates = !negates;
    Value value = comparison();
    if (value && negates) return boolean(!value->truth());
    return value;
  }

  Value comparison() {
    Value left = sum();
    while (left) {
      if (take("is")) {
        const bool negates = take("not");
        const std::optional<bool> holds = test(*left, next());
        if (!holds) return std::nullopt;
        left = boolean(*holds != negates);
      } else if (const bool equal = take("=="); equal || take("!=")) {
        const Value right = sum();
        if (!right) return std::nullopt;
        const bool same =
            left->kind == right->kind && left->is_true == right->is_true && left->text == right->text;
        left = boolean(same == equal);
      } else {
        break;
      }
    }
    return left;
  }

  static std::optional<bool> test(const JinjaValue& value, std::string_view name) {
    using enum JinjaValue::Kind;
    if (name == "defined") return value.kind != undefined;
    if (name == "undefined") return value.kind == undefined;
    if (name == "true") return value.kind == boolean && value.is_true;
    if (name == "false") return value.kind == boolean && !value.is_true;
    if (name == "none") return false;
    return std::nullopt;
  }

  Value sum() {
    Value left = filtered();
    while (left && (take("+") || take("~"))) {
      const Value right = filtered();
      if (!right) return std::nullopt;
      if (left->kind != JinjaValue::Kind::text || right->kind != JinjaValue::Kind::text) return std::nullopt;
      left->text += right->text;
    }
    return left;
  }

  Value filtered() {
    Value value = primary();
    while (value && take("|")) {
      if (!take("default") || !take("(")) return std::nullopt;
      Value other = conditional();
      if (take(",") && !conditional()) return std::nullopt;
      if (!other || !take(")")) return std::nullopt;
      if (value->kind == JinjaValue::Kind::undefined) value = std::move(other);
    }
    return value;
  }

  Value primary() {
    const std::string_view token = next();
    if (token.empty()) return std::nullopt;
    if (token == "(") {
      Value value = conditional();
      return take(")") ? std::move(value) : std::nullopt;
    }
    if (token.front() == '\'' || token.front() == '"') return unquote(token);
    if (!is_word_character(token.front())) return std::nullopt;
    if (token == "true" || token == "True") return boolean(true);
    if (token == "false" || token == "False") return boolean(false);
    JinjaValue value;
    if (token == "add_generation_prompt") value = boolean(true);
    if (token == "enable_thinking" && enable_thinking_) value = boolean(*enable_thinking_);
    while (take(".")) {
      value = {};
      if (next().empty()) return std::nullopt;
    }
    return value;
  }

  static Value unquote(std::string_view token) {
    if (token.size() < 2 || token.back() != token.front()) return std::nullopt;
    JinjaValue value{.kind = JinjaValue::Kind::text};
    token = token.substr(1, token.size() - 2);
    for (std::size_t i = 0; i < token.size(); ++i) {
      const bool escaped = token[i] == '\\' && i + 1 < token.size();
      if (escaped) ++i;
      value.text += escaped && token[i] == 'n' ? '\n' : escaped && token[i] == 't' ? '\t' : token[i];
    }
    return value;
  }

  // A word, a string with its quotes, a sign; empty at the end.
  std::string_view peek() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kWhiteSpace), rest_.size()));
    if (rest_.empty()) return {};
    const char first = rest_.front();
    std::size_t length = 1;
    if (first == '\'' || first == '"') {
      while (length < rest_.size() && rest_[length] != first) length += rest_[length] == '\\' ? 2U : 1U;
      length = std::min(length + 1, rest_.size());
    } else if (is_word_character(first)) {
      while (length < rest_.size() && is_word_character(rest_[length])) ++length;
    } else if (rest_.starts_with("==") || rest_.starts_with("!=")) {
      length = 2;
    }
    return rest_.substr(0, length);
  }
  std::string_view next() {
    const std::string_view token = peek();
    rest_.remove_prefix(token.size());
    return token;
  }
  bool take(std::string_view token) {
    if (peek() != token) return false;
    next();
    return true;
  }

  std::string_view rest_;
  std::optional<bool> enable_thinking_;
  int depth_ = 0;
};

}  // namespace

JinjaPiece take_jinja_piece(std::string_view& jinja) {
  constexpr std::array<std::pair<std::string_view, JinjaPiece::Kind>, 3> kSigns = {
      {{"{#", JinjaPiece::Kind::comment},
       {"{{", JinjaPiece::Kind::expression},
       {"{%", JinjaPiece::Kind::statement}}};
  const auto take = [&](JinjaPiece::Kind kind, std::size_t length) {
    JinjaPiece piece{kind, jinja.substr(0, length), jinja.substr(0, length)};
    if (kind != JinjaPiece::Kind::text) piece.inner = inner_part(piece.whole);
    jinja.remove_prefix(length);
    return piece;
  };
  for (const auto& [sign, kind] : kSigns) {
    if (!jinja.starts_with(sign)) continue;
    if (kind != JinjaPiece::Kind::comment) return take(kind, end_of_tag(jinja));
    const std::size_t close = jinja.find("#}", 2);
    return take(kind, close == std::string_view::npos ? jinja.size() : close + 2);
  }
  std::size_t end = jinja.find('{', 1);
  while (end != std::string_view::npos && end + 1 < jinja.size() &&
         std::string_view("#{%").find(jinja[end + 1]) == std::string_view::npos) {
    end = jinja.find('{', end + 1);
  }
  return take(JinjaPiece::Kind::text, std::min(end, jinja.size()));
}

std::string_view keyword_of(const JinjaPiece& piece) {
  if (piece.kind != JinjaPiece::Kind::statement) return {};
  const auto* const end = std::ranges::find_if_not(piece.inner, is_word_character);
  return piece.inner.substr(0, static_cast<std::size_t>(end - piece.inner.begin()));
}

std::optional<JinjaValue> evaluate_jinja(std::string_view expression, std::optional<bool> enable_thinking) {
  return Evaluator(expression, enable_thinking).run();
}

}  // namespace bitnet
