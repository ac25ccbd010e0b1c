#include "cli/options/template_option.h"

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/terminal/log.h"
#include "service/request/chat_form.h"

namespace bitnet::cli {
Option* add_template(Command& command, std::string& name) {
  const bool has_turns = name == service::kAutoTemplate;
  const std::string all = chat_template_names();  // raw is the first
  const std::string wrapping = all.substr(all.find(' ') + 1);
  const std::string offered = std::string(service::kAutoTemplate) + ", " + (has_turns ? wrapping : all);
  const auto take = [&name, offered](const std::string& given) {
    if (given != service::kAutoTemplate &&
        !find_chat_template(given)) {  // before a model is loaded for nothing
      throw UsageError("--template '" + given + "' is unknown; choose from " + offered);
    }
    name = given;
  };
  auto* option = command.add_option(
      "--template", take,
      (has_turns ? "auto: the model's own form of a talk; or one of "
                 : "raw: TEXT as it stands; auto: a user's turn as the model wants it; or ") +
          wrapping);
  option->type_name("NAME")->default_str(name);
  option->choices(offered);
  return option;
}

Option* add_think(Command& command, std::optional<bool>& think) {
  const auto take = [&think](const std::string& given, const std::string& source) {
    think = parse_think(given, source);
  };
  auto* option = command.add_option(
      "--think", take, "Whether the model thinks before it answers, if its template knows of it");
  option->type_name("on|off")->default_str("by template")->choices("on, off");
  return option;
}

bool parse_think(std::string_view text, const std::string& source) {
  if (text == "on") return true;
  if (text == "off") return false;
  throw UsageError(source + " '" + printable(text, kMaxPrintedName) + "' is neither on nor off");
}

ChatForm find_form(const std::string& name, std::optional<bool> think, const Model& model) {
  const std::string file = printable(model.info().file, kMaxPrintedPath);
  const ChatForm form = service::find_form(name, think, model, file);
  if (form.chat_template == ChatTemplate::raw) return form;
  log_debug("chat template {}", name_of(form.chat_template));
  if (!think && thinking_forms(form.chat_template, model.chat_hints(), model.tokenizer()).is_other) {
    log_warn(
        "the model's template has it think in a way that this program does not know: nothing is put before "
        "an answer, and its thinking is not left out of later turns");
  }
  return form;
}

Thinking find_thinking(ChatTemplate t, std::optional<bool> think, const Model& model) {
  return service::find_thinking(t, think, model, printable(model.info().file, kMaxPrintedPath));
}

std::string_view think_name(Thinking thinking) {
  switch (thinking) {
    case Thinking::none:
      break;
    case Thinking::free:
    case Thinking::begun:
      return "on";
    case Thinking::skipped:
      return "off";
  }
  return {};
}

}  // namespace bitnet::cli
