#include "cli/options/template_option.h"

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/terminal/log.h"

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
      "--template", take,
      (has_turns ? "auto: the model's own form of a talk; or one of "
                 : "raw: TEXT as it stands; auto: a user's turn as the model wants it; or ") +
          wrapping);
  option->type_name("NAME")->default_str(name);
  option->choices(offered);
  return option;
}

namespace {

ChatTemplate find_template(const std::string& name, const Model& model) {
  const auto named = find_chat_template(name);
  if (named == ChatTemplate::raw) return *named;
  model.require_text();
  const Tokenizer& tokenizer = model.tokenizer();
  ChatChoice choice{named, {}};
  if (named) {
    const std::string obstacle = obstacle_to(*named, tokenizer);
    if (!obstacle.empty()) choice = {std::nullopt, "--template " + name + " cannot be used: " + obstacle};
  } else {
    choice = choose_chat_template(model.chat_hints(), tokenizer);
  }
  if (!choice.chosen) {
    const std::string usable = usable_chat_templates(tokenizer);
    throw UsageError(printable(model.info().file, kMaxPrintedPath) + ": " + choice.obstacle +
                     (usable.empty() ? "; none of this program's fits its vocabulary"
                                     : "; pass --template with one that its vocabulary allows: " + usable));
  }
  log_debug("chat template {}", name_of(*choice.chosen));
  return *choice.chosen;
}

}  // namespace

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
  if (think && find_chat_template(name) == ChatTemplate::raw) {
    throw UsageError("--think needs a template: pass --template auto or a name");
  }
  const ChatTemplate t = find_template(name, model);
  return {t, find_thinking(t, think, model)};
}

Thinking find_thinking(ChatTemplate t, std::optional<bool> think, const Model& model) {
  if (t == ChatTemplate::raw) return Thinking::none;
  const ThinkingForms forms = thinking_forms(t, model.chat_hints(), model.tokenizer());
  if (!think) {
    if (forms.is_other) {
      log_warn(
          "the model's template has it think in a way that this program does not know: nothing is put before "
          "an answer, and its thinking is not left out of later turns");
    }
    return forms.unasked;
  }
  const std::optional<Thinking> asked = *think ? forms.on : forms.off;
  if (asked) return *asked;
  const std::string what =
      printable(model.info().file, kMaxPrintedPath) + ": --think " + (*think ? "on" : "off") + ": ";
  throw UsageError(what + (forms.unasked == Thinking::none
                               ? "its template, " + std::string(name_of(t)) +
                                     ", has no thinking that could be turned on or off; leave it out"
                               : std::string("its template has no such choice; leave it out")));
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

std::vector<TokenId> encode_prompt(ChatForm form, const Model& model, const std::string& prompt,
                                   const std::string& system, bool special) {
  model.require_text();
  const Tokenizer& tokenizer = model.tokenizer();
  if (form.chat_template == ChatTemplate::raw) {
    if (!system.empty()) throw UsageError("--system needs a template: pass --template auto or a name");
    return tokenizer.encode(prompt, {.add_bos = true, .parse_special = special});
  }
  if (special) {
    throw UsageError("--special needs --template raw: the others put their control tokens themselves");
  }
  std::vector<Message> messages;
  if (!system.empty()) messages.push_back({Role::system, system});
  messages.push_back({Role::user, prompt});
  return encode_chat(form, tokenizer, messages);
}

}  // namespace bitnet::cli
