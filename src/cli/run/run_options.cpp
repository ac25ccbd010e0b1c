#include "cli/run/run_options.h"

#include <array>

#include "base/output_file.h"
#include "bitnet/error.h"
#include "cli/options/draft_option.h"
#include "cli/options/escapes.h"
#include "cli/options/length_options.h"
#include "cli/options/number_option.h"
#include "cli/options/output_guard.h"
#include "cli/options/prompt_cache_option.h"
#include "cli/options/prompt_input.h"
#include "cli/options/template_option.h"
#include "cli/options/token_ids.h"

namespace bitnet::cli {
namespace {

void add_prompt_options(Command& c, RunOptions& o) {
  auto* prompt = add_prompt(c, o.prompt, "The prompt");
  auto* file = c.add_option("-f,--file", o.prompt_file, "From a file, less its final newline; - is stdin");
  file->type_name("FILE")->excludes(prompt)->only_once();
  auto* ids = c.add_option(
      "--ids",
      [&o](const std::string& text, const std::string& source) {
        o.ids = token_ids_of(text, source);
        if (o.ids->empty()) throw UsageError(source + " '" + text + "': give one token id or more");
      },
      "Token ids in its place, as they are: no BOS is added");
  ids->type_name("ID,...")->excludes(prompt)->excludes(file)->only_once();
  auto* escape = c.add_flag("-e,--escape", o.escape, "\\n, \\t, \\\\, \\xNN, \\uNNNN in TEXT are characters");
  auto* chat_template = add_template(c, o.chat_template);
  auto* think = add_think(c, o.think);
  auto* system = c.add_option("--system", o.system, "System message; needs a template")
                     ->type_name("TEXT")
                     ->allow_empty();
  auto* special = c.add_flag("--special", o.special, "Control tokens: parse in the prompt, show in the text");
  chat_template->excludes(ids);
  think->excludes(ids);
  system->excludes(ids);
  for (Option* option : {prompt, file, ids, escape, chat_template, think, system, special}) {
    option->group("Prompt");
  }
}

void add_score_options(Command& c, RunOptions& o) {
  auto* score = c.add_flag("--score", o.score, "How likely the prompt is, token by token; no new text");
  auto* choice = c.add_option("--choice", o.choices, "Score this text behind the prompt; several times");
  choice->type_name("TEXT");
  for (Option* option : {score, choice}) option->group("Scoring");
}

void add_form_options(Command& c, RunOptions& o) {
  auto* echo = c.add_flag("--echo", o.echo, "Print the prompt before the text");
  auto* no_wrap = c.add_flag("--no-wrap", o.no_wrap, "Let the terminal break lines");
  auto* newline = c.add_flag("--newline", o.newline, "End the text with a newline, in a pipe too");
  auto* json = c.add_flag("--json", o.json, "One JSON object in place of the text")->excludes(echo);
  auto* jsonl = c.add_flag("--jsonl", o.jsonl, "A line of JSON for every token, as it comes");
  jsonl->excludes(echo)->excludes(json);
  newline->excludes(json)->excludes(jsonl);
  auto* logprobs = c.add_option(
      "--logprobs",
      [&o](const std::string& text) { o.logprobs = parse_number<std::size_t>(text, "--logprobs"); },
      "Log-probabilities in the JSON, of the K likeliest too");
  logprobs->type_name("K");
  auto* receipt = c.add_option("--receipt", o.receipt, "Save what ran, its ids, logits' digest and times");
  receipt->type_name("FILE");
  for (Option* option : {echo, newline, no_wrap, json, jsonl, logprobs, receipt}) option->group("Output");
}

// Making the screen takes as long as it saves in about so many tokens: both are in proportion to the head.
constexpr std::int64_t kTokensWorthAScreen = 64;

void check_receipt(const RunOptions& o) {
  const std::string& path = *o.receipt;
  if (path == "-") throw UsageError("--receipt -: stdout is for the text; name a file");
  check_is_no_input(
      path, "--receipt",
      std::array{InputName{o.model.model, "the model"}, InputName{o.prompt_file.value_or(""), "the prompt"},
                 InputName{o.prompt_cache.value_or(""), "the prompt cache"}});
  check_replaces_no_model(path, "--receipt", "receipt");
  OutputFile::check(path);
}

// What only new text could heed.
void check_score(const RunOptions& o) {
  const auto refuse = [](bool is_given, const std::string& name) {
    if (!is_given) return;
    throw UsageError(name + " has no effect with --score and --choice, which generate no text: leave it out");
  };
  if (o.ids) throw UsageError("--score and --choice need a text in place of --ids: pass -p or -f");
  refuse(o.max_tokens >= 0, "--max-tokens (-n)");
  refuse(!o.stop.empty(), "--stop");
  refuse(o.ignore_eos, "--ignore-eos");
  refuse(o.echo, "--echo");
  refuse(o.receipt.has_value(), "--receipt");
  refuse(o.draft.has_value(), "--draft");
  refuse(o.prompt_cache.has_value(), "--prompt-cache");
  for (const std::string& name : o.sampling.given()) refuse(true, name);
  if (o.jsonl) throw UsageError("--jsonl is for new text; --score and --choice have --json");
}

}  // namespace

void RunOptions::add_to(Command& command) {
  add_prompt_options(command, *this);
  for (Option* option : add_length_options(command, max_tokens, stop, ignore_eos)) {
    option->group("Output");
  }
  add_form_options(command, *this);
  add_score_options(command, *this);
  sampling.add_to(command);
  model.add_to(command);
  add_draft(command, draft);
  add_prompt_cache(command, prompt_cache);
  command.get_option("--head")->default_str("by sampler");
}

void RunOptions::apply_escapes() {
  if (!escape) return;
  if (prompt) prompt = unescape(*prompt, "--prompt");
  system = unescape(system, "--system");
  for (std::string& text : stop) text = unescape(text, "--stop");
  for (std::string& text : choices) text = unescape(text, "--choice");
}

void RunOptions::check() const {
  if (max_tokens < -1) throw UsageError("--max-tokens: give a count, or -1 to go on until the text ends");
  sampling.check();
  if (scores()) check_score(*this);
  if (logprobs && !json && !jsonl) {
    throw UsageError("--logprobs needs --json or --jsonl: the text alone has no place for them");
  }
  if (receipt) check_receipt(*this);
}

HeadKind RunOptions::head() const {
  const bool few_tokens = max_tokens >= 0 && max_tokens < kTokensWorthAScreen;
  return wants_all_logits() || scores() || few_tokens ? HeadKind::exact : sampling.head();
}

}  // namespace bitnet::cli
