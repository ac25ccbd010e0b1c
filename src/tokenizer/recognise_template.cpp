#include "tokenizer/recognise_template.h"

#include <algorithm>
#include <string>

#include "tokenizer/jinja.h"

namespace bitnet {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

// All but what stands in comments and conditions.
std::string written_part(std::string_view jinja) {
  std::string out;
  while (!jinja.empty()) {
    const JinjaPiece piece = take_jinja_piece(jinja);
    const std::string_view keyword = keyword_of(piece);
    const bool is_condition = keyword == "if" || keyword == "elif";
    if (piece.kind != JinjaPiece::Kind::comment && !is_condition) out.append(piece.whole);
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
  if (has("<用户>") && has("<AI>")) return ChatTemplate::minicpm;
  return std::nullopt;
}

}  // namespace bitnet
