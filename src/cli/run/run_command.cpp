#include "cli/run/run_command.h"

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/error.h"
#include "bitnet/generate.h"
#include "cli/options/draft_option.h"
#include "cli/options/model_options.h"
#include "cli/options/prompt_cache_option.h"
#include "cli/options/prompt_input.h"
#include "cli/options/template_option.h"
#include "cli/options/token_ids.h"
#include "cli/run/run_options.h"
#include "cli/run/run_output.h"
#include "cli/run/run_receipt.h"
#include "cli/run/run_record.h"
#include "cli/run/run_score.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/memory_use.h"
#include "cli/terminal/prompt_progress.h"
#include "service/request/chat_form.h"

namespace bitnet::cli {
namespace {

// None where ids stand in its place.
std::optional<std::string> read_prompt(const RunOptions& o) {
  if (o.ids) return std::nullopt;
  if (o.prompt) return *o.prompt;
  if (o.prompt_file) return read_prompt_file(*o.prompt_file);
  if (!o.choices.empty()) return "";
  throw UsageError("no prompt: pass -p TEXT, -f FILE, or -f - to read it from stdin");
}

void report(const GenerateResult& r, const Model& model) {
  const auto speed = [](std::size_t n, double seconds) {
    const bool known = n > 0 && seconds > 0;
    return known ? fmt::format(" ({:.1f}/s)", static_cast<double>(n) / seconds) : "";
  };
  const auto tokens = [](std::size_t n) { return fmt::format("{} token{}", n, n == 1 ? "" : "s"); };
  const std::string from_cache = r.n_cached == 0 ? "" : fmt::format(", {} of them kept", r.n_cached);
  log_info("prompt {}{}{}; text {}{}; ended by {}", tokens(r.n_prompt), from_cache,
           speed(r.n_prompt - r.n_cached, r.prefill_seconds), tokens(r.tokens.size()),
           speed(r.n_decode_steps, r.decode_seconds), name_of(r.reason));
  log_drafts(r);
  log_head_growth(model);
  log_debug("peak memory {:.1f} MiB", to_mib(memory_use().peak_bytes));
}

std::unique_ptr<RunOutput> make_output(const RunOptions& o, const Model& model, ChatForm form,
                                       const Session& session, const RunPrompt& prompt) {
  if (!o.json && !o.jsonl) {
    std::string echo;
    if (o.echo) {
      echo = prompt.text ? std::string(*prompt.text) : model.tokenizer().decode(prompt.ids, o.special);
    }
    return make_text_output(std::move(echo), !o.no_wrap, o.newline, form.thinking);
  }
  return make_json_output(o.json ? JsonForm::object : JsonForm::lines, model, prompt,
                          run_options_json(o, form, model, session), o.logprobs);
}

// Has `generation` tell output and receipt of every token. Without JSON and receipt nobody wants to know.
void watch_tokens(const RunOptions& o, RunOutput& output, Receipt& receipt, GenerateOptions& generation) {
  if (!o.json && !o.jsonl && !o.receipt) return;
  generation.all_logits = o.wants_all_logits();
  generation.on_token = [&output, &receipt, with_receipt = o.receipt.has_value()](const TokenStep& token) {
    if (with_receipt) receipt.add(token);
    output.add_token(token);
  };
}

ExitCode run(const RunOptions& o) {
  set_verbosity(o.model.quiet, o.model.verbose);
  o.check();
  o.sampling.announce();
  const std::optional<std::string> prompt = read_prompt(o);
  const auto load_start = std::chrono::steady_clock::now();
  const Model model = load_model(o.model, o.head());
  const std::chrono::duration<double> load_time = std::chrono::steady_clock::now() - load_start;
  GenerateOptions generation;
  if (o.max_tokens >= 0) generation.max_tokens = static_cast<std::size_t>(o.max_tokens);
  generation.show_special = o.special;
  generation.keep_going = [] { return !interrupted(); };
  const ChatForm form = find_form(o.chat_template, o.think, model);
  service::Stops stops = service::find_stops(o.stop, o.ignore_eos, form.chat_template, model.tokenizer());
  generation.stop_tokens = std::move(stops.tokens);
  generation.stop_strings = std::move(stops.strings);
  const std::vector<TokenId> tokens =
      prompt ? service::encode_prompt(form, model, *prompt, o.system, o.special) : *o.ids;
  check_token_ids(tokens, model.tokenizer().vocab_size());
  Session session = make_session(model, o.model);
  if (o.scores()) {
    return run_score({.options = o,
                      .form = form,
                      .model = model,
                      .session = session,
                      .prompt = *prompt,  // check() refuses ids
                      .prompt_ids = tokens});
  }
  Sampler sampler(o.sampling.sampler(), model.info().vocab);
  const RunPrompt run_prompt{.text = prompt, .ids = tokens};
  const std::unique_ptr<RunOutput> output = make_output(o, model, form, session, run_prompt);
  Receipt receipt;
  watch_tokens(o, *output, receipt, generation);

  PromptProgress progress(o.model.quiet);
  generation.on_prompt = [&](double n_done, std::size_t n_tokens) { progress.update(n_done, n_tokens); };

  std::optional<PromptCache> prompt_cache = make_prompt_cache(o.prompt_cache);
  if (prompt_cache) generation.prompt_cache = &*prompt_cache;
  if (o.draft) generation.draft = *o.draft;

  std::vector<TokenId> history;
  const GenerateResult result =
      generate(model, session, sampler, history, tokens, generation, [&](std::string_view text) {
        if (o.receipt) receipt.add_text(text);
        return output->add_text(text);
      });
  output->finish(result);
  report(result, model);
  log_prompt_cache(prompt_cache);
  log_profile(session, "profile");
  if (result.reason == StopReason::context_full) {
    log_warn("the text stopped because the context of {} tokens is full", session.ctx_size());
  }
  if (o.receipt) {
    const bool written =
        result.reason != StopReason::interrupted && receipt.write({.options = o,
                                                                   .form = form,
                                                                   .model = model,
                                                                   .session = session,
                                                                   .prompt = run_prompt,
                                                                   .result = result,
                                                                   .load_seconds = load_time.count()});
    if (!written) log_warn("no receipt was written: the run was interrupted");
  }
  return interrupted() ? ExitCode::interrupted : ExitCode::done;
}

}  // namespace

std::function<ExitCode()> add_run_command(Command& app) {
  auto options = std::make_shared<RunOptions>();
  Command* command = app.add_subcommand("run", "Generate text from a prompt");
  options->add_to(*command);
  add_help(*command);
  command->example("bitnet run \"The capital of France is\"");
  command->example("bitnet run -m model.gguf -f prompt.txt -n 100 --stop \"User:\" > answer.txt");
  command->example("bitnet run -m model.gguf --template auto --temp 0.7 \"What is a verb?\"");
  command->everyday({"--prompt", "--file", "--template", "--max-tokens", "--temp", "--model", "--threads",
                     "--quiet", "--help"});
  command->footer(
      "The text ends by max_tokens (-n), stop_token (the model ended it), stop_string (--stop) or\n"
      "context_full (-c); the last line on stderr says by which.");
  return [options] {
    options->apply_escapes();
    return run(*options);
  };
}

}  // namespace bitnet::cli
