#include "cli/trace/trace_command.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/output_file.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/model_options.h"
#include "cli/options/number_option.h"
#include "cli/options/output_guard.h"
#include "cli/options/prompt_input.h"
#include "cli/options/template_option.h"
#include "cli/options/token_ids.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/memory_use.h"
#include "cli/terminal/output.h"
#include "cli/trace/trace_run.h"
#include "diagnostics/trace_file.h"
#include "service/request/chat_form.h"

namespace bitnet::cli {
namespace {

struct TraceCommandOptions {
  ModelOptions model;
  std::optional<std::string> prompt;
  std::optional<std::string> prompt_file;
  std::optional<std::string> ids;
  std::string chat_template = "raw";
  std::optional<bool> think;
  std::string system;
  bool special = false;
  std::string output;
  std::vector<std::string> patterns;
  std::size_t n_greedy = 0;
};

void add_trace_options(Command& c, TraceCommandOptions& o) {
  auto* prompt = c.add_option("-p,--prompt", o.prompt, "The text to trace")->type_name("TEXT")->allow_empty();
  auto* file = c.add_option("-f,--file", o.prompt_file, "Read it from a file; - is stdin");
  file->type_name("FILE")->excludes(prompt)->only_once();
  auto* ids = c.add_option("--ids", o.ids, "Token ids instead of a text, as they are: no BOS is added");
  ids->type_name("ID,...")->excludes(prompt)->excludes(file);
  auto* chat_template = add_template(c, o.chat_template)->excludes(ids);
  auto* think = add_think(c, o.think)->excludes(ids);
  auto* system = c.add_option("--system", o.system, "System message; needs a template")->excludes(ids);
  system->type_name("TEXT");
  auto* special = c.add_flag("--special", o.special, "Recognise control tokens in the text")->excludes(ids);
  for (Option* option : {prompt, file, ids, chat_template, think, system, special}) option->group("Tokens");

  auto* output = c.add_option("-o,--output", o.output, "Write the values to a .npz or .gguf; none: a table");
  output->type_name("FILE");
  auto* tensors = c.add_option(
      "--tensors", [&o](const std::string& list) { o.patterns = parse_tensor_patterns(list); },
      "These alone: names, * for any part; none: all");
  tensors->type_name("NAMES");
  auto* n = add_number(c, "-n,--max-tokens", o.n_greedy, "Tokens of a greedy continuation to note");
  n->type_name("N");
  for (Option* option : {output, tensors, n}) option->group("Trace");
}

std::vector<TokenId> read_tokens(const TraceCommandOptions& o, const Model& model, const std::string& text) {
  if (!o.ids) {
    return service::encode_prompt(find_form(o.chat_template, o.think, model), model, text, o.system,
                                  o.special);
  }
  return token_ids_of(*o.ids, "--ids");
}

std::string read_text(const TraceCommandOptions& o) {
  if (o.ids) return "";
  if (o.prompt) return *o.prompt;
  if (o.prompt_file) return read_prompt_file(*o.prompt_file);
  throw UsageError("no tokens: pass -p TEXT, -f FILE, -f - to read the text from stdin, or --ids");
}

std::vector<TraceTensor> choose_tensors(const TraceCommandOptions& o, const Model& model,
                                        std::size_t n_tokens) {
  std::vector<TraceTensor> all = traceable_tensors(model, n_tokens);
  if (o.patterns.empty()) return all;
  for (const std::string& pattern : o.patterns) {
    const auto matches = [&](const TraceTensor& t) { return matches_any(t.name, std::span(&pattern, 1)); };
    if (std::ranges::none_of(all, matches)) {
      throw UsageError("--tensors '" + pattern +
                       "' is no tensor of this model; without -o bitnet trace lists them");
    }
  }
  std::erase_if(all, [&](const TraceTensor& t) { return !matches_any(t.name, o.patterns); });
  return all;
}

// A line for each tensor: enough to see where values vanish, explode or stop being numbers.
std::string format_table(const Trace& trace) {
  std::size_t name_width = 6;
  for (const TraceTensor& t : trace.tensors) name_width = std::max(name_width, t.name.size());
  std::string text = fmt::format("{:<{}} {:>6} {:>6} {:>11} {:>11} {:>11} {:>10}\n", "tensor", name_width,
                                 "tokens", "width", "rms", "min", "max", "not finite");
  for (std::size_t i = 0; i < trace.tensors.size(); ++i) {
    const TraceTensor& t = trace.tensors[i];
    double squares = 0;
    double low = INFINITY;
    double high = -INFINITY;
    std::size_t n_finite = 0;
    for (const float v : trace.values[i]) {
      if (!std::isfinite(v)) continue;
      ++n_finite;
      squares += static_cast<double>(v) * v;
      low = std::min<double>(low, v);
      high = std::max<double>(high, v);
    }
    const double rms = std::sqrt(squares / static_cast<double>(std::max<std::size_t>(n_finite, 1)));
    text += fmt::format("{:<{}} {:>6} {:>6} {:>11.5g} {:>11.5g} {:>11.5g} {:>10}\n", t.name, name_width,
                        t.rows, t.cols, rms, low, high, trace.values[i].size() - n_finite);
  }
  return text;
}

// A trace is what one looks into when numbers have gone: it is made all the same.
void warn_of_no_numbers(const Trace& trace) {
  for (std::size_t i = 0; i < trace.tensors.size(); ++i) {
    const std::vector<float>& values = trace.values[i];
    const auto bad = std::ranges::find_if(values, [](float v) { return !std::isfinite(v); });
    if (bad == values.end()) continue;
    const TraceTensor& t = trace.tensors[i];
    const std::size_t at = static_cast<std::size_t>(bad - values.begin());
    log_warn(
        "values are not finite, first in {}, row {}, column {}; the file is damaged or was converted wrongly",
        t.name, at / t.cols, at % t.cols);
    return;
  }
}

ExitCode trace(const TraceCommandOptions& o) {
  set_verbosity(o.model.quiet, o.model.verbose);
  std::optional<OutputFile> file;
  TraceForm form{};
  if (!o.output.empty()) {
    form = trace_form_of(o.output);
    check_is_no_input(o.output, "-o",
                      std::array{InputName{o.model.model, "the model"},
                                 InputName{o.prompt_file.value_or(""), "the prompt"}});
    check_replaces_no_model_but_trace(o.output, "-o");
    file.emplace(o.output);  // what cannot be written is found now and not at the end
  }
  const std::string text = read_text(o);
  const Model model = load_model(o.model);
  TraceRequest request;
  request.ids = read_tokens(o, model, text);
  request.n_greedy = o.n_greedy;
  request.tensors = choose_tensors(o, model, request.ids.size());
  const std::optional<Trace> trace = trace_model(model, o.model, request);
  if (!trace) return ExitCode::interrupted;
  warn_of_no_numbers(*trace);
  if (!file) {
    write_stdout(format_table(*trace));
    return ExitCode::done;
  }
  write_trace(*trace, form, *file);
  if (interrupted()) return ExitCode::interrupted;
  file->commit();
  std::uint64_t n_values = 0;
  for (const std::vector<float>& values : trace->values) n_values += values.size();
  log_info("{}: {} tensors of {} tokens, {:.1f} MiB", printable(o.output, kMaxPrintedPath),
           trace->tensors.size(), trace->info.ids.size(), to_mib(n_values * sizeof(float)));
  return ExitCode::done;
}

}  // namespace

std::function<ExitCode()> add_trace_command(Command& app) {
  auto options = std::make_shared<TraceCommandOptions>();
  Command* command = app.add_subcommand("trace", "Every intermediate of a forward pass, layer by layer");
  add_trace_options(*command, *options);
  options->model.add_to(*command);
  add_help(*command);
  command->footer(kTensorNames);
  command->example("bitnet trace -m model.gguf -p \"What is 2+2?\" -o trace.npz");
  command->everyday({"--prompt", "--file", "--ids", "--output", "--tensors", "--max-tokens", "--model",
                     "--quiet", "--help"});
  return [options] { return trace(*options); };
}

}  // namespace bitnet::cli
