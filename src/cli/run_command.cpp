#include "cli/run_command.h"

#include <spdlog/spdlog.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/error.h"
#include "bitnet/generate.h"
#include "cli/interrupt.h"
#include "cli/log.h"
#include "cli/memory_use.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/prompt_input.h"

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
  std::optional<std::size_t> max_tokens;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  SamplerOptions sampler;
  bool greedy = false;
};

void add_prompt_options(CLI::App& c, RunOptions& o) {
  auto* prompt = c.add_option("-p,--prompt", o.prompt, "The prompt")->type_name("TEXT");
  auto* file =
      c.add_option("-f,--file", o.prompt_file, "Read the prompt from a file, - for stdin")->type_name("FILE");
  prompt->excludes(file);
  auto* tmpl = c.add_option(
      "--template", o.chat_template,
      "Wrap the prompt as a user's turn: auto, " + chat_template_names() + "; raw: as it stands");
  tmpl->capture_default_str()->type_name("NAME");
  auto* system = c.add_option("--system", o.system, "System message; needs a template")->type_name("TEXT");
  auto* special =
      c.add_flag("--special", o.special, "Parse control tokens in the prompt, show them in the text");
  auto* echo = c.add_flag("--echo", o.echo, "Print the prompt before the text");
  for (CLI::Option* option : {prompt, file, tmpl, system, special, echo}) option->group("Prompt");
}

void add_generation_options(CLI::App& c, RunOptions& o) {
  auto* n =
      c.add_option("-n,--max-tokens", o.max_tokens, "Most tokens to generate; default: until the text ends");
  n->type_name("N");
  auto* stop = c.add_option("--stop", o.stop, "End before this text; may be repeated")->type_name("TEXT");
  stop->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  auto* eos = c.add_flag("--ignore-eos", o.ignore_eos, "Go on where the model ends its text");
  for (CLI::Option* option : {n, stop, eos}) option->group("Length");

  SamplerOptions& s = o.sampler;
  auto* greedy = c.add_flag("--greedy", o.greedy, "Always take the likeliest token (the default)");
  auto* temp =
      c.add_option("--temp", s.temperature, "Temperature; 0: greedy")->capture_default_str()->type_name("T");
  auto* k = c.add_option("--top-k", s.top_k, "Only the K likeliest tokens; 0: all")
                ->capture_default_str()
                ->type_name("K");
  auto* p = c.add_option("--top-p", s.top_p, "Only the likeliest tokens that make up P")
                ->capture_default_str()
                ->type_name("P");
  auto* min_p = c.add_option("--min-p", s.min_p, "Only tokens at least P times as likely as the best");
  min_p->capture_default_str()->type_name("P");
  auto* penalty = c.add_option("--repeat-penalty", s.repeat_penalty, "Against tokens of the last 64; 1: off");
  penalty->capture_default_str()->type_name("X");
  auto* seed = c.add_option("--seed", s.seed, "Same seed, same text")->capture_default_str()->type_name("N");
  greedy->excludes(temp);
  for (CLI::Option* option : {greedy, temp, k, p, min_p, penalty, seed}) option->group("Sampling");
}

void warn_of_idle_options(const RunOptions& o) {
  const SamplerOptions& s = o.sampler;
  if (s.temperature != 0) return;
  const SamplerOptions defaults;
  const auto warn = [](bool set, const char* name) {
    if (set) spdlog::warn("{} has no effect in greedy mode; pass --temp to sample", name);
  };
  warn(s.top_k != defaults.top_k, "--top-k");
  warn(s.top_p != defaults.top_p, "--top-p");
  warn(s.min_p != defaults.min_p, "--min-p");
  warn(s.repeat_penalty != defaults.repeat_penalty, "--repeat-penalty");
  warn(s.seed != defaults.seed, "--seed");
}

std::string read_prompt(const RunOptions& o) {
  if (o.prompt) return *o.prompt;
  if (o.prompt_file) return read_prompt_file(*o.prompt_file);
  throw UsageError("no prompt: pass -p TEXT, -f FILE, or -f - to read it from stdin");
}

ChatTemplate find_template(const RunOptions& o, const Model& model) {
  if (o.chat_template != "auto") {
    if (const auto t = find_chat_template(o.chat_template)) return *t;
    throw UsageError("--template " + o.chat_template + " is unknown; choose from auto, " +
                     chat_template_names());
  }
  const auto t = choose_chat_template(model.chat_hints(), model.tokenizer());
  if (!t) {
    throw UsageError(model.info().file +
                     ": its chat template is not one of this program's; pass --template with one of " +
                     chat_template_names());
  }
  spdlog::debug("chat template {}", name_of(*t));
  return *t;
}

// The prompt's tokens, and what ends the text.
std::vector<TokenId> encode_prompt(const RunOptions& o, const Model& model, const std::string& prompt,
                                   GenerateOptions& generation) {
  const Tokenizer& tokenizer = model.tokenizer();
  const ChatTemplate chat_template = find_template(o, model);
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
  if (o.special)
    throw UsageError("--special needs the raw template: a template puts its control tokens itself");
  std::vector<Message> messages;
  if (!o.system.empty()) messages.push_back({Role::system, o.system});
  messages.push_back({Role::user, prompt});
  return encode_chat(chat_template, tokenizer, messages);
}

void report(const GenerateResult& r) {
  const auto rate = [](std::size_t n, double seconds) {
    return seconds > 0 ? static_cast<double>(n) / seconds : 0.0;
  };
  spdlog::info("prompt {} tokens, {:.1f} tokens/s; text {} tokens, {:.1f} tokens/s; ended by {}", r.n_prompt,
               rate(r.n_prompt, r.prefill_seconds), r.tokens.size(), rate(r.n_decode_steps, r.decode_seconds),
               name_of(r.reason));
  spdlog::debug("peak memory {:.1f} MiB", static_cast<double>(memory_use().peak_bytes) / (1 << 20));
}

ExitCode run(const RunOptions& o) {
  set_verbosity(o.model.quiet, o.model.verbose);
  warn_of_idle_options(o);
  const std::string prompt = read_prompt(o);
  const Model model = load_model(o.model);
  GenerateOptions generation;
  generation.max_tokens = o.max_tokens.value_or(generation.max_tokens);
  generation.show_special = o.special;
  generation.keep_going = [] { return !interrupted(); };
  const std::vector<TokenId> tokens = encode_prompt(o, model, prompt, generation);
  Sampler sampler(o.sampler, model.info().vocab);
  Session session = make_session(model, o.model);

  char last = '\n';
  const auto print = [&](std::string_view text) {
    write_stdout(text);
    if (!text.empty()) last = text.back();
    return !interrupted();
  };
  if (o.echo) print(prompt);
  std::vector<TokenId> history;
  const GenerateResult result = generate(model, session, sampler, history, tokens, generation, print);
  // Pipes and files get the text and nothing else; a terminal also gets its next prompt on a line of its own.
  if (stdout_is_terminal() && last != '\n') write_stdout("\n");
  report(result);
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
  add_generation_options(*command, *options);
  options->model.add_to(*command);
  return [options] { return run(*options); };
}

}  // namespace bitnet::cli
