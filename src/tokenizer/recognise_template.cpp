#include "tokenizer/recognise_template.h"

#include <algorithm>
#include <string>

namespace bitnet {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

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

// "{% if ... %}", "{%- elif ... -%}"
bool is_condition(std::string_view tag) {
  if (!tag.starts_with("{%")) return false;
  tag.remove_prefix(std::min(tag.find_first_not_of("-+ \t\r\n", 2), tag.size()));
  for (const std::string_view word : {"if", "elif"}) {
    const bool is_word = tag.size() > word.size() && (tag[word.size()] < 'a' || tag[word.size()] > 'z');
    if (tag.starts_with(word) && is_word) return true;
  }
  return false;
}

std::string written_part(std::string_view jinja) {
  std::string out;
  while (!jinja.empty()) {
    const std::size_t open = std::min(jinja.find('{'), jinja.size());
    out.append(jinja.substr(0, open));
    jinja.remove_prefix(open);
    if (jinja.size() < 2) break;
    std::size_t end = 1;
    if (jinja[1] == '#') {
      const std::size_t close = jinja.find("#}", 2);
      end = close == kNowhere ? jinja.size() : close + 2;
    } else {
      if (jinja[1] == '{' || jinja[1] == '%') end = end_of_tag(jinja);
      if (!is_condition(jinja.substr(0, end))) out.append(jinja.substr(0, end));
    }
    jinja.remove_prefix(end);
  }
  return out;
}

bool has_newline(std::string_view text) {
  return text.find("\\n") != kNowhere || text.find('\n') != kNowhere;
}

// "<|user|>", a line break, the content and another line break, and nothing that would end a turn: other
// families begin like this and put their end of text behind the user's words too. The role's name may also
// come from the message: "'<|' + message['role'] + '|>".
bool is_falcon3(std::string_view text) {
  if (text.find("<|assistant|>") == kNowhere) return false;
  std::size_t tag = text.find("<|user|>");
  if (tag == kNowhere) {
    tag = std::min(text.find("<|'"), text.find("<|\""));
    const std::size_t role = text.find("role", std::min(tag, text.size()));
    if (role == kNowhere || text.find("|>", tag) < role) return false;
  }
  const std::size_t tag_end = text.find("|>", tag);
  if (tag_end == kNowhere) return false;
  std::string_view rest = text.substr(tag_end + 2);
  const std::size_t content = rest.find("content");
  if (content == kNowhere || !has_newline(rest.substr(0, content))) return false;
  rest.remove_prefix(content);
  const std::string_view behind = rest.substr(0, rest.find("}}"));
  return has_newline(behind) && behind.find("<|") == kNowhere && behind.find("eos") == kNowhere &&
         behind.find("</s>") == kNowhere;
}

}  // namespace

std::optional<ChatTemplate> recognise_template(std::string_view jinja) {
  const std::string text = written_part(jinja);
  const auto has = [&](std::string_view part) { return text.find(part) != kNowhere; };
  if (has("<|start_header_id|>")) return ChatTemplate::llama3;
  if (has("<|im_start|>")) return ChatTemplate::chatml;
  // The text that the published 2B-4T file carries is an old one; the model was trained on the bitnet
  // template.
  if (has("BITNETAssistant")) return ChatTemplate::bitnet;
  if (has("capitalize") && has("<|eot_id|>") && has("Assistant: ")) return ChatTemplate::bitnet;
  if (is_falcon3(text)) return ChatTemplate::falcon3;
  return std::nullopt;
}

}  // namespace bitnet
