#include "service/request/field_reader.h"

#include <cmath>

#include "base/printable.h"
#include "service/request/generation_request.h"

namespace bitnet::service {
namespace {

// What a value is, in a few words: of a long one its kind alone.
std::string shown(const Json& value) {
  if (value.is_array()) return value.empty() ? "[]" : "(an array)";
  if (value.is_object()) return value.empty() ? "{}" : "(an object)";
  if (!value.is_string()) return value.dump();
  return "'" + printable(value.get_ref<const std::string&>(), kMaxPrintedName) + "'";
}

std::optional<Role> role_of(std::string_view name) {
  if (name == "system" || name == "developer") return Role::system;
  if (name == "user") return Role::user;
  if (name == "assistant") return Role::assistant;
  return std::nullopt;
}

}  // namespace

void FieldReader::refuse(std::string_view wanted) const {
  throw FieldError(name_, name_ + " " + shown(value_) + ": " + std::string(wanted));
}

std::string FieldReader::text() const {
  if (!value_.is_string()) refuse("give a text");
  return value_.get<std::string>();
}

bool FieldReader::yes_or_no() const {
  if (!value_.is_boolean()) refuse("give true or false");
  return value_.get<bool>();
}

bool FieldReader::on_or_off() const {
  if (value_ == "on") return true;
  if (value_ == "off") return false;
  if (!value_.is_boolean()) refuse("give true or false, on or off");
  return value_.get<bool>();
}

float FieldReader::number() const {
  if (!value_.is_number()) refuse("give a number");
  const double n = value_.get<double>();
  if (!(std::abs(n) <= static_cast<double>(std::numeric_limits<float>::max()))) refuse("that is too large");
  return static_cast<float>(n);
}

FieldReader FieldReader::element(std::size_t i) const {
  return {name_ + "[" + std::to_string(i) + "]", value_[i]};
}

std::vector<TokenId> FieldReader::ids() const {
  if (!value_.is_array() || value_.empty()) refuse("give an array of one token id or more");
  std::vector<TokenId> ids;
  ids.reserve(value_.size());
  for (std::size_t i = 0; i < value_.size(); ++i) ids.push_back(TokenId{element(i).whole<std::int32_t>(0)});
  return ids;
}

std::vector<std::string> FieldReader::texts() const {
  std::vector<std::string> texts;
  if (value_.is_string()) {
    texts.push_back(text());
  } else if (value_.is_array()) {
    for (std::size_t i = 0; i < value_.size(); ++i) texts.push_back(element(i).text());
  } else {
    refuse("give a text, or an array of texts");
  }
  for (const std::string& each : texts) {
    if (each.empty()) throw FieldError(name_, name_ + ": an empty text would end every answer at once");
  }
  return texts;
}

// A text, or an array of parts that are texts: [{"type": "text", "text": ...}].
std::string FieldReader::content() const {
  if (value_.is_string()) return text();
  if (!value_.is_array()) refuse("give a text");
  std::string all;
  for (std::size_t i = 0; i < value_.size(); ++i) {
    const FieldReader part = element(i);
    const auto type = part.value_.is_object() ? part.value_.find("type") : part.value_.end();
    if (!part.value_.is_object() || type == part.value_.end() || *type != "text" ||
        !part.value_.contains("text")) {
      part.refuse("give {\"type\": \"text\", \"text\": ...}; nothing else can be read");
    }
    all += FieldReader(part.name_ + ".text", part.value_["text"]).text();
  }
  return all;
}

Message FieldReader::message() const {
  if (!value_.is_object()) refuse("give {\"role\": ..., \"content\": ...}");
  for (const auto& [key, value] : value_.items()) {
    if (key == "role" || key == "content") continue;
    // Whose message it is, where several share a role: templates have no place for it.
    if (key == "name" && value.is_string()) continue;
    // Clients send answers back with all the fields that they came with.
    if (value.is_null() || (value.is_array() && value.empty())) continue;
    const std::string name = name_ + "." + printable(key, kMaxPrintedName);
    throw FieldError(name, name + ": a message has no such field here, but role and content");
  }
  for (const char* key : {"role", "content"}) {
    if (!value_.contains(key)) throw FieldError(name_, name_ + ": " + key + " is missing");
  }
  const FieldReader role(name_ + ".role", value_["role"]);
  const std::optional<Role> known = role_of(role.text());
  if (!known) role.refuse("choose from system, user, assistant");
  return {*known, FieldReader(name_ + ".content", value_["content"]).content()};
}

std::vector<Message> FieldReader::messages() const {
  if (!value_.is_array() || value_.empty()) refuse("give an array of one message or more");
  std::vector<Message> messages;
  for (std::size_t i = 0; i < value_.size(); ++i) messages.push_back(element(i).message());
  if (messages.back().role == Role::assistant) {
    throw FieldError(name_, name_ + ": the last one is the assistant's; give one that it is to answer");
  }
  return messages;
}

}  // namespace bitnet::service
