#include "cli/run_command.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/error.h"
#include "bitnet/generate.h"
#include "cli/choices.h"
#include "cli/interrupt.h"
#include "cli/log.h"
#include "cli/memory_use.h"
#include "cli/model_options.h"
#include "cli/number_option.h"
#include "cli/output.h"
#include "cli/prompt_input.h"
#include "cli/sampling_options.h"
#include "cli/template_option.h"

namespace bitnet::cli {
namespace {

struct RunOptions {
  ModelOptions model;
  std::optional<std::string> prompt;
  std::optional<std::string> prompt_file;
  std::string system;
  std::string chat_template = "raw";
  bool special = false;
  bool echo = false;
  std::int64_t max_tokens = -1;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  SamplingOptions sampling;
};

void add_prompt_options(CLI::App& c, RunOptions& o) {
  auto* prompt = c.add_option("-p,--prompt", o.prompt, "The prompt")->type_name("TEXT");
  auto* file = c.add_option("-f,--file", o.prompt_file, "Read the prompt from a file; - is stdin");
  file->type_name("FILE")->excludes(prompt);
  auto* chat_template =
      c.add_option("--template", o.chat_template,
                   "Chat template: auto (the model's), " + chat_template_names() + "; raw: none");
  chat_template->type_name("NAME")->capture_default_str();
  offer_choices(chat_template, "auto, " + chat_template_names());
  auto* system = c.add_option("--system", o.system, "System message; needs a template")->type_name("TEXT");
  auto* special = c.add_flag("--special", o.special, "Control tokens: parse in the prompt, show in the text");
  auto* echo = c.add_flag("--echo", o.echo, "Print the prompt before the text");
  for (CLI::Option* option : {prompt, file, chat_template, system, special, echo}) option->group("Prompt");
}

void add_length_options(CLI::App& c, RunOptions& o) {
  auto* n = add_number(c, "-n,--max-tokens", o.max_tokens, "Tokens at most; -1: until the text ends");
  n->type_name("N");
  auto* stop = c.add_option("--stop", o.stop, "End before this text; may be given several times");
  // One value each time. With more allowed CLI11 would take [a,b] for a list.
  stop->type_name("TEXT")->take_all()->allow_extra_args(false);
  auto* ignore_eos = c.add_flag("--ignore-eos", o.ignore_eos, "Go on where the model ends its text");
  for (CLI::Option* option : {n, stop, ignore_eos}) option->group("Length");
}

std::string read_prompt(const RunOptions& o) {
  if (o.prompt) return *o.prompt;
  if (o.prompt_file) return read_prompt_file(*o.prompt_file);
  throw UsageError("no prompt: pass -p TEXT, -f FILE, or -f - to read it from stdin");
}

// The prompt's tokens, and what ends the text.
std::vector<TokenId> encode_prompt(const RunOptions& o, const Model& model, const std::string& prompt,
                                   GenerateOptions& generation) {
  const Tokenizer& tokenizer = model.tokenizer();
  const ChatTemplate chat_template = find_template(o.chat_template, model);
  ChatStops stops = stops_of(chat_template, tokenizer);
  generation.stop_strings = o.stop;
  generation.stop_strings.insert(generation.stop_strings.end(), stops.strings.begin(), stops.strings.end());
  if (!o.ignore_eos) {
    generation.stop_tokens.assign(tokenizer.end_tokens().begin(), tokenizer.end_tokens().end());
    generation.stop_tokens.insert(generation.stop_tokens.end(), stops.tokens.begin(), stops.tokens.end());
  }
  if (chat_template == ChatTemplate::raw) {
    if (!o.system.empty()) throw UsageError("--system needs a template: pass --template auto or a name");
    return tokenizer.encode(prompt, {.add_bos = true, .parse_special = o.special});
  }
  if (o.special) {
    throw UsageError("--special needs --template raw: the others put their control tokens themselves");
  }
  std::vector<Message> messages;
  if (!o.system.empty()) messages.push_back({Role::system, o.system});
  messages.push_back({Role::user, prompt});
  return encode_chat(chat_template, tokenizer, messages);
}

void report(const GenerateResult& r) {
  const auto speed = [](std::size_t n, double seconds) {
    const bool known = n > 0 && seconds > 0;
    return known ? fmt::format(" ({:.1f}/s)", static_cast<double>(n) / seconds) : "";
  };
  spdlog::info("prompt {} tokens{}; text {} tokens{}; ended by {}", r.n_prompt,
               speed(r.n_prompt, r.prefill_seconds), r.tokens.size(),
               speed(r.n_decode_steps, r.decode_seconds), name_of(r.reason));
  spdlog::debug("peak memory {:.1f} MiB", to_mib(memory_use().peak_bytes));
}

ExitCode run(const RunOptions& o) {
  set_verbosity(o.model.quiet, o.model.verbose);
  if (o.max_tokens < -1) throw UsageError("--max-tokens: give a count, or -1 to go on until the text ends");
  o.sampling.warn_of_idle();
  const std::string prompt = read_prompt(o);
  const Model model = load_model(o.model, o.sampling.head());
  GenerateOptions generation;
  if (o.max_tokens >= 0) generation.max_tokens = static_cast<std::size_t>(o.max_tokens);
  generation.show_special = o.special;
  generation.keep_going = [] { return !interrupted(); };
  const std::vector<TokenId> tokens = encode_prompt(o, model, prompt, generation);
  Sampler sampler(o.sampling.sampler(), model.info().vocab);
  Session session = make_session(model, o.model);

  // The prompt goes out with the first text: by then nothing can be refused any more.
  std::string echo = o.echo ? prompt : "";
  char last = '\n';
  const auto write = [&](std::string_view text) {
    write_stdout(text);
    if (!text.empty()) last = text.back();
  };
  const auto print = [&](std::string_view text) {
    if (interrupted()) return false;  // before a write that may have to wait for its reader
    if (!echo.empty()) write(std::exchange(echo, {}));
    write(text);
    return !interrupted();
  };
  std::vector<TokenId> history;
  const GenerateResult result = generate(model, session, sampler, history, tokens, generation, print);
  if (!echo.empty()) write(echo);  // no text came
  // Pipes and files get the text and nothing else; a terminal also gets its next prompt on a line of its own.
  if (stdout_is_terminal() && last != '\n') write_stdout("\n");
  report(result);
  log_profile(session, "profile");
  if (result.reason == StopReason::context_full) {
    spdlog::warn("the text stopped because the context of {} tokens is full", session.ctx_size());
  }
  return interrupted() ? ExitCode::interrupted : ExitCode::done;
}

}  // namespace

std::function<ExitCode()> add_run_command(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Generate text from a prompt");
  add_prompt_options(*command, *options);
  add_length_options(*command, *options);
  options->sampling.add_to(*command);
  options->model.add_to(*command);
  command->set_help_flag("-h,--help", "Print this help and exit")->group("Messages");
  return [options] { return run(*options); };
}

}  // namespace bitnet::cli
