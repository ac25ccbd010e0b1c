#include "service/request/chat_form.h"

#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::service {
namespace {

ChatTemplate find_template(std::string_view name, const Model& model, std::string_view model_name) {
  const auto named = find_chat_template(name);
  if (!named && name != kAutoTemplate) {
    throw OptionError(
        "", "template",
        " '" + printable(name, kMaxPrintedName) + "' is unknown; choose from auto, " + chat_template_names());
  }
  if (named == ChatTemplate::raw) return *named;
  model.require_text();
  const Tokenizer& tokenizer = model.tokenizer();
  const std::string of_model = std::string(model_name) + ": ";
  const std::string usable = usable_chat_templates(tokenizer);
  const std::string instead = usable.empty() ? "; none of this program's fits its vocabulary"
                                             : "; its vocabulary allows these: " + usable;
  if (named) {
    const std::string obstacle = obstacle_to(*named, tokenizer);
    if (obstacle.empty()) return *named;
    throw OptionError(of_model, "template",
                      " " + std::string(name) + " cannot be used: " + obstacle + instead);
  }
  const ChatChoice choice = choose_chat_template(model.chat_hints(), tokenizer);
  if (!choice.chosen && usable.empty()) throw UsageError(of_model + choice.obstacle + instead);
  if (!choice.chosen) {
    throw OptionError(of_model + choice.obstacle + "; pass ", "template",
                      " with one that its vocabulary allows: " + usable);
  }
  return *choice.chosen;
}

}  // namespace

ChatForm find_form(std::string_view name, std::optional<bool> think, const Model& model,
                   std::string_view model_name) {
  if (think && find_chat_template(name) == ChatTemplate::raw) {
    throw OptionError("", "think", " needs a template: auto, or one by its name");
  }
  const ChatTemplate t = find_template(name, model, model_name);
  return {t, find_thinking(t, think, model, model_name)};
}

Thinking find_thinking(ChatTemplate t, std::optional<bool> think, const Model& model,
                       std::string_view model_name) {
  if (t == ChatTemplate::raw) return Thinking::none;
  const ThinkingForms forms = thinking_forms(t, model.chat_hints(), model.tokenizer());
  if (!think) return forms.unasked;
  const std::optional<Thinking> asked = *think ? forms.on : forms.off;
  if (asked) return *asked;
  const std::string why = forms.unasked == Thinking::none
                              ? "its template, " + std::string(name_of(t)) +
                                    ", has no thinking that could be turned on or off; leave it out"
                              : std::string("its template has no such choice; leave it out");
  throw OptionError(std::string(model_name) + ": ", "think",
                    std::string(*think ? " on" : " off") + ": " + why);
}

std::vector<TokenId> encode_prompt(ChatForm form, const Model& model, const std::string& prompt,
                                   const std::string& system, bool special) {
  model.require_text();
  const Tokenizer& tokenizer = model.tokenizer();
  if (form.chat_template == ChatTemplate::raw) {
    if (!system.empty()) {
      throw OptionError("", "system", " needs a template: auto, or one by its name");
    }
    return tokenizer.encode(prompt, {.add_bos = true, .parse_special = special});
  }
  return encode_messages(form, model, {{Role::user, prompt}}, system, special);
}

std::vector<TokenId> encode_messages(ChatForm form, const Model& model, std::vector<Message> messages,
                                     const std::string& system, bool special) {
  model.require_text();
  if (special) {
    throw OptionError("", "special",
                      " needs the template raw: the others put their control tokens themselves");
  }
  const bool has_system = !messages.empty() && messages.front().role == Role::system;
  if (!system.empty() && !has_system) messages.insert(messages.begin(), {Role::system, system});
  return encode_chat(form, model.tokenizer(), messages);
}

Stops find_stops(const std::vector<std::string>& asked_for, bool ignore_eos, ChatTemplate chat_template,
                 const Tokenizer& tokenizer) {
  ChatStops of_template = stops_of(chat_template, tokenizer);
  Stops stops{{}, asked_for};
  stops.strings.insert(stops.strings.end(), of_template.strings.begin(), of_template.strings.end());
  if (ignore_eos) return stops;
  stops.tokens.assign(tokenizer.end_tokens().begin(), tokenizer.end_tokens().end());
  stops.tokens.insert(stops.tokens.end(), of_template.tokens.begin(), of_template.tokens.end());
  return stops;
}

}  // namespace bitnet::service
