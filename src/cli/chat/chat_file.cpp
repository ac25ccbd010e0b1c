#include "cli/chat/chat_file.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/output_file.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/prompt_input.h"
#include "cli/terminal/saved_json.h"
#include "diagnostics/json_text.h"

namespace bitnet::cli {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kSaveAChat = "save one with /save FILE";
constexpr SavedForm kChatForm{"bitnet.chat", 1, "conversation", kSaveAChat};

struct RoleName {
  Role role;
  std::string_view name;
};
constexpr std::array<RoleName, 3> kRoles = {
    {{Role::system, "system"}, {Role::user, "user"}, {Role::assistant, "assistant"}}};

// Whether it is a saved conversation that would be replaced. What is no regular file is written to and not
// replaced; of an empty one nothing is lost.
bool replaces_one(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  if (std::filesystem::file_size(path, error) == 0) return false;
  const std::string shown = printable(path, kMaxPrintedPath);
  try {
    parse_saved(read_input(path == "-" ? "./-" : path, "the file"), shown, kChatForm);
  } catch (const ModelError&) {
    throw UsageError(shown +
                     ": there is a file that is no saved conversation; choose another name, or remove it");
  }
  return true;
}

std::string text_or_nothing(const SavedJson& json, const char* key) {
  const SavedJson value = json.value(key, SavedJson());
  return value.is_string() ? value.get<std::string>() : "";
}

}  // namespace

bool save_chat(const std::string& path, std::string_view model, ChatTemplate chat_template,
               std::span<const Message> messages) {
  OrderedJson list = OrderedJson::array();
  for (const Message& message : messages) {
    const auto* const role = std::ranges::find(kRoles, message.role, &RoleName::role);
    list.push_back({{"role", role->name}, {"content", message.content}});
  }
  OrderedJson all = schema_json(kChatForm.schema, kChatForm.version);
  all.update({{"model", model}, {"template", name_of(chat_template)}, {"messages", std::move(list)}});
  const bool replaces = replaces_one(path);
  OutputFile file(path);
  file.write(all.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
  file.commit();
  return replaces;
}

SavedChat load_chat(const std::string& path) {
  const std::string shown = printable(path, kMaxPrintedPath);
  // A name and not stdin, which the conversation itself is held on.
  const std::string text = read_input(path == "-" ? "./-" : path, "the conversation");
  const SavedJson json = parse_saved(text, shown, kChatForm);
  const SavedJson list = json.value("messages", SavedJson());
  if (!list.is_array()) throw ModelError(shown, "has no list of messages", kSaveAChat);
  SavedChat chat{text_or_nothing(json, "model"), text_or_nothing(json, "template"), {}};
  std::vector<Message>& messages = chat.messages;
  for (const SavedJson& entry : list) {
    const auto refuse = [&](const char* what) {
      throw ModelError(shown, "message " + std::to_string(messages.size() + 1) + " " + what, kSaveAChat);
    };
    if (!entry.is_object()) refuse("is no object");
    const SavedJson name = entry.value("role", SavedJson());
    const SavedJson content = entry.value("content", SavedJson());
    const auto* const role = std::ranges::find_if(kRoles, [&](const RoleName& r) { return name == r.name; });
    if (role == kRoles.end()) refuse("has no role that is system, user or assistant");
    if (!content.is_string()) refuse("has no content that is text");
    messages.push_back({role->role, content.get<std::string>()});
  }
  return chat;
}

std::string path_of(const std::string& typed) {
  const char* const home = std::getenv("HOME");
  if (home == nullptr || !(typed == "~" || typed.starts_with("~/"))) return typed;
  return home + typed.substr(1);
}

}  // namespace bitnet::cli
