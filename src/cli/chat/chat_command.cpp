#include "cli/chat/chat_command.h"

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/conversation.h"
#include "bitnet/error.h"
#include "cli/chat/chat_loop.h"
#include "cli/chat/input_history.h"
#include "cli/chat/line_editor.h"
#include "cli/chat/stdin_lines.h"
#include "cli/options/draft_option.h"
#include "cli/options/escapes.h"
#include "cli/options/model_options.h"
#include "cli/options/number_option.h"
#include "cli/options/prompt_cache_option.h"
#include "cli/options/sampling_options.h"
#include "cli/options/template_option.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/output.h"

namespace bitnet::cli {
namespace {

struct ChatOptions {
  ModelOptions model;
  std::string system;
  std::string chat_template = "auto";
  std::optional<bool> think;
  std::optional<std::string> message;
  std::optional<std::string> named_model;  // without -m
  std::vector<std::string> stop;
  bool ignore_eos = false;
  std::int64_t max_tokens = -1;
  bool no_history = false;
  bool no_wrap = false;
  bool escape = false;
  std::optional<DraftOptions> draft;
  std::optional<std::string> prompt_cache;
  SamplingOptions sampling{{.temperature = 0.7F, .top_p = 0.95F}};
};

// The descriptor of a terminal to draw the line being typed on: not stdout if stderr will do, for stdout is
// for the answers. Nullopt: stdin is no terminal, or nothing could be shown on it.
std::optional<int> find_screen() {
  if (::isatty(STDIN_FILENO) == 0) return std::nullopt;
  for (const int descriptor : {STDERR_FILENO, STDOUT_FILENO}) {
    if (::isatty(descriptor) != 0) return descriptor;
  }
  return std::nullopt;
}

void apply_escapes(ChatOptions& o) {
  o.system = unescape(o.system, "--system");
  if (o.message) o.message = unescape(*o.message, "--prompt");
  for (std::string& text : o.stop) text = unescape(text, "--stop");
}

// What stands on the command line goes before the environment.
void choose_named_model(ChatOptions& o) {
  const char* from_environment = std::getenv("BITNET_MODEL");
  if (!o.model.model.empty() && (from_environment == nullptr || o.model.model != from_environment)) {
    throw UsageError("'" + *o.named_model + "' stands beside --model; give one of them");
  }
  o.model.model = *o.named_model;
}

ExitCode chat(const ChatOptions& o) {
  set_verbosity(o.model.quiet, o.model.verbose);
  if (o.max_tokens < -1 || o.max_tokens == 0) {
    throw UsageError("--max-tokens: give a count, or -1 to go on until an answer ends");
  }
  if (o.message && o.message->ends_with(".gguf")) {
    throw UsageError("'" + *o.message + "' would be said to the model; to talk with it pass -m " +
                     *o.message);
  }
  o.sampling.check();
  o.sampling.announce();
  const Model model = load_model(o.model, o.sampling.head());
  const ChatForm form = find_form(o.chat_template, o.think, model);
  Session session = make_session(model, o.model);
  Conversation conversation(model, session, form);
  conversation.set_system(o.system);
  if (interrupted()) return ExitCode::interrupted;

  const std::optional<int> screen = find_screen();
  ChatLoop loop(model, session, conversation, form,
                {.settings = {.sampler = o.sampling.sampler(), .max_tokens = o.max_tokens},
                 .stop_strings = o.stop,
                 .ignore_eos = o.ignore_eos,
                 .draft = o.draft.value_or(DraftOptions{}),
                 .prompt_cache = o.prompt_cache,
                 .interactive = screen.has_value(),
                 .wraps = !o.no_wrap,
                 .quiet = o.model.quiet});
  if (!screen) {
    StdinLines lines;
    return loop.run(lines, o.message);
  }
  let_interrupts_be_taken_back();
  InputHistory history(o.no_history ? std::nullopt : history_path());
  LineEditor editor(*screen, history, &ChatLoop::complete);
  log_info("/help lists the commands; Ctrl-C stops an answer, Ctrl-D ends the talk");
  return loop.run(editor, o.message);
}

}  // namespace

std::function<ExitCode()> add_chat_command(Command& app) {
  auto o = std::make_shared<ChatOptions>();
  Command& c = *app.add_subcommand("chat", "A conversation in the terminal");
  auto* system = c.add_option("--system", o->system, "System message")->type_name("TEXT")->allow_empty();
  auto* chat_template = add_template(c, o->chat_template);
  auto* think = add_think(c, o->think);
  auto* n = add_number(c, "-n,--max-tokens", o->max_tokens, "Tokens of an answer at most; -1: until it ends");
  n->type_name("N");
  const auto take_message = [o = o.get()](const std::string& text, const std::string& source) {
    const bool is_model = !source.starts_with('-') && text.ends_with(".gguf");
    (is_model ? o->named_model : o->message) = text;
  };
  auto* message = c.add_option("-p,--prompt,message", take_message,
                               "Say this first; without -p a name that ends in .gguf is the model");
  message->type_name("TEXT")->only_once();
  auto* stop = c.add_option("--stop", o->stop, "End an answer before this text; may be repeated");
  stop->type_name("TEXT");
  auto* ignore_eos = c.add_flag("--ignore-eos", o->ignore_eos, "Go on where the model ends its answer");
  auto* no_wrap = c.add_flag("--no-wrap", o->no_wrap, "Let the terminal break lines");
  auto* no_history = c.add_flag("--no-history", o->no_history, "Don't remember what is typed");
  auto* escape =
      c.add_flag("-e,--escape", o->escape, "\\n, \\t, \\\\, \\xNN, \\uNNNN in TEXT are characters");
  for (Option* option :
       {message, system, escape, chat_template, think, n, stop, ignore_eos, no_wrap, no_history}) {
    option->group("Conversation");
  }
  o->sampling.add_to(c);
  o->model.add_to(c);
  add_draft(c, o->draft);
  add_prompt_cache(c, o->prompt_cache);
  c.get_option("--head")->default_str("by sampler");
  add_help(c);
  c.example("bitnet chat model.gguf");
  c.example("bitnet chat model.gguf --system \"Answer in one sentence.\" --temp 0.5");
  c.everyday({"--system", "--think", "--max-tokens", "--temp", "--seed", "--model", "--ctx-size", "--threads",
              "--quiet", "--help"});
  c.footer(
      "Where stdin is no terminal, each of its lines is a message or a command.\n"
      "What is typed is remembered in $XDG_STATE_HOME/bitnet/chat_history.");
  return [o] {
    if (o->escape) apply_escapes(*o);
    if (o->named_model) choose_named_model(*o);
    return chat(*o);
  };
}

}  // namespace bitnet::cli
