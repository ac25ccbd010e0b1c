#include "cli/options/template_option.h"

#include <spdlog/spdlog.h>

#include "bitnet/error.h"

namespace bitnet::cli {
namespace {

constexpr const char* kAuto = "auto";

}  // namespace

Option* add_template(Command& command, std::string& name) {
  const bool has_turns = name == kAuto;
  const std::string all = chat_template_names();  // raw is the first
  const std::string wrapping = all.substr(all.find(' ') + 1);
  const std::string offered = std::string(kAuto) + ", " + (has_turns ? wrapping : all);
  const auto take = [&name, offered](const std::string& given) {
    if (given != kAuto && !find_chat_template(given)) {  // before a model is loaded for nothing
      throw UsageError("--template '" + given + "' is unknown; choose from " + offered);
    }
    name = given;
  };
  auto* option = command.add_option(
      "--template", take, has_turns ? "The model's own (auto), or " + wrapping : "auto, " + wrapping);
  option->type_name("NAME")->default_str(name);
  option->choices(offered);
  return option;
}

ChatTemplate find_template(const std::string& name, const Model& model) {
  if (const auto t = find_chat_template(name)) return *t;
  const auto t = choose_chat_template(model.chat_hints(), model.tokenizer());
  if (!t) {
    throw UsageError(model.info().file +
                     ": its chat template is not one of this program's; pass --template with one of " +
                     chat_template_names());
  }
  spdlog::debug("chat template {}", name_of(*t));
  return *t;
}

std::vector<TokenId> encode_prompt(ChatTemplate chat_template, const Tokenizer& tokenizer,
                                   const std::string& prompt, const std::string& system, bool special) {
  if (chat_template == ChatTemplate::raw) {
    if (!system.empty()) throw UsageError("--system needs a template: pass --template auto or a name");
    return tokenizer.encode(prompt, {.add_bos = true, .parse_special = special});
  }
  if (special) {
    throw UsageError("--special needs --template raw: the others put their control tokens themselves");
  }
  std::vector<Message> messages;
  if (!system.empty()) messages.push_back({Role::system, system});
  messages.push_back({Role::user, prompt});
  return encode_chat(chat_template, tokenizer, messages);
}

}  // namespace bitnet::cli
