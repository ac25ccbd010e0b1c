#include "cli/perplexity_command.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/model_options.h"
#include "cli/options/number_option.h"
#include "cli/options/prompt_input.h"
#include "cli/run/run_record.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress_bar.h"
#include "diagnostics/json_text.h"
#include "diagnostics/perplexity.h"
#include "model/hidden_act.h"
#include "tokenizer/utf8.h"

namespace bitnet::cli {
namespace {

constexpr std::size_t kDefaultWindow = 512;  // as llama.cpp's, so that figures can be compared
constexpr std::size_t kReports = 10;         // of the running estimate, where there is no bar

struct PerplexityCommandOptions {
  ModelOptions model;
  std::optional<std::string> text;
  std::optional<std::string> file;
  std::size_t stride = 0;
  bool json = false;
};

void add_options(Command& c, PerplexityCommandOptions& o) {
  auto* text = c.add_option("-p,--prompt", o.text, "The text")->type_name("TEXT");
  auto* file = c.add_option("-f,--file", o.file, "Read it from a file, UTF-8; - is stdin");
  file->type_name("FILE")->excludes(text);
  auto* stride = add_number(c, "--stride", o.stride,
                            "0: windows side by side, the second half of each scored. N: a window every N "
                            "tokens, its last N scored");
  stride->type_name("N");
  for (Option* option : {text, file, stride}) option->group("Text");
  c.add_flag("--json", o.json, "The result as JSON")->group("Output");
  o.model.add_to(c);
  c.get_option("--ctx-size")->description("Window in tokens; 0: 512, or the model's context");
  add_help(c);
  c.example("bitnet perplexity -m model.gguf -f text.txt -c 2048");
  c.everyday({"--file", "--ctx-size", "--stride", "--json", "--model", "--threads", "--quiet", "--help"});
  c.footer(
      "Windows are whole and start with an empty cache, with BOS in place of their\n"
      "first token if the model wants one; the tokens after the last are left out.\n"
      "No token is scored twice, none without half a window (or window - N tokens)\n"
      "before it. This is how llama.cpp counts; with --ppl-stride N it enlarges its\n"
      "window by N/2, so pass -c accordingly. Of a text shorter than a window every\n"
      "token is scored but the first.");
}

// Where the text is from, for messages.
std::string source_of(const PerplexityCommandOptions& o) {
  if (!o.file) return "--prompt";
  return *o.file == "-" ? "stdin" : printable(*o.file, kMaxPrintedPath);
}

std::string read_text(const PerplexityCommandOptions& o) {
  if (!o.file && !o.text) {
    throw UsageError("no text: pass -p TEXT, -f FILE, or -f - to read it from stdin");
  }
  std::string text = o.text ? *o.text : read_input(*o.file, "the text");
  if (o.file && text.ends_with('\n')) text.pop_back();  // as llama.cpp does
  const std::string name = source_of(o);
  if (text.empty()) throw ModelError(name, "the text is empty", "pass one with words in it");
  const std::size_t zero = text.find('\0');
  const std::size_t good = std::min(zero, well_formed_prefix(text));
  if (good < text.size()) {
    throw ModelError(name,
                     fmt::format("byte {} (0x{:02X}) is not UTF-8 text", good,
                                 static_cast<unsigned>(static_cast<unsigned char>(text[good]))),
                     "pass a text file, converted to UTF-8 (iconv does it)");
  }
  return text;
}

// --json prints one object:
//   schema              "bitnet.perplexity"
//   version             1; it changes when a field changes its name or meaning, not when one is added
//   program, commit     that wrote it
//   model, architecture what ran
//   backend, threads, kv_type, activations
//   hidden_act          "relu2" or "silu"
//   i2s_layout          "x86", "arm" or "rows4"; null without I2_S tensors
//   head                "stored" (exact and screened give the same bits) or "int8"
//   window, stride      in tokens; stride 0: windows side by side
//   whole_text          whether the text was shorter than a window and is the window itself
//   text_tokens         of the text, BOS included
//   windows             run
//   scored_tokens       that the estimate is made of
//   scored_bytes        that they spell
//   nll_unit            "nats per token"
//   left_out_tokens     after the last whole window
//   mean_nll            of -log(probability), in nats
//   mean_nll_error      its standard error
//   perplexity          exp(mean_nll); null where that is too large for a number
//   perplexity_error    its standard error; null with it
//   bits_per_byte       of the scored text, for comparing models of different vocabularies; null without
//   bytes
std::string format_json(const PerplexityResult& r, const PerplexityOptions& options, const Session& session,
                        const Model& model, const SessionOptions& how) {
  nlohmann::ordered_json json = schema_json("bitnet.perplexity", 1);
  json.update({
      {"model", printable(model.info().file, kMaxPrintedPath)},
      {"architecture", model.info().architecture},
      {"backend", session.backend()},
      {"threads", session.n_threads()},
      {"kv_type", name_of(how.kv_type)},
      {"activations", name_of(session.activations())},
      {"hidden_act", name_of(model.info().hidden_act.act)},
      {"i2s_layout", i2s_layout_json(model.info())},
      {"head", recorded_name_of(session.head())},
      {"window", options.window},
      {"stride", options.stride},
      {"whole_text", options.whole},
      {"text_tokens", r.n_tokens},
      {"windows", r.n_windows},
      {"scored_tokens", r.n_scored},
      {"scored_bytes", r.n_bytes},
      {"left_out_tokens", r.n_left_out},
      {"nll_unit", "nats per token"},
      {"mean_nll", r.mean_nll},
      {"mean_nll_error", r.nll_standard_error},
      {"perplexity", r.perplexity},
      {"perplexity_error", r.standard_error},
      {"bits_per_byte", r.n_bytes == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(r.bits_per_byte)},
  });
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string format_text(const PerplexityResult& r, const PerplexityOptions& options) {
  const std::string where = options.whole ? fmt::format("{} of {} tokens scored", r.n_scored, r.n_tokens)
                                          : fmt::format("{} tokens scored in {} windows of {}", r.n_scored,
                                                        r.n_windows, options.window);
  const std::string bits = r.n_bytes == 0 ? "" : fmt::format(", {:.4f} bits per byte", r.bits_per_byte);
  return fmt::format("perplexity {:.4f} +- {:.4f} ({}){}\n", r.perplexity, r.standard_error, where, bits);
}

ExitCode perplexity(const PerplexityCommandOptions& given) {
  PerplexityCommandOptions o = given;
  set_verbosity(o.model.quiet, o.model.verbose);
  const std::string text = read_text(o);
  const Model model = load_model(o.model);
  std::size_t& window = o.model.session.ctx_size;
  if (window == 0) window = std::min(kDefaultWindow, model.info().context_length);
  const PerplexityOptions wanted{.window = window, .stride = o.stride};
  Session session = make_session(model, o.model);
  model.require_text();
  const std::vector<TokenId> tokens = model.tokenizer().encode(text, {.add_bos = true});
  count_windows(tokens.size(), wanted);  // refuses options before any work
  const PerplexityOptions options = fitted(wanted, tokens.size());
  if (options.whole) {
    log_info("the text of {} tokens is shorter than a window of {}: all of it is scored but its first token",
             tokens.size(), window);
    if (o.stride != 0) {
      throw UsageError(
          fmt::format("--stride {} has no effect on a text of {} tokens, which is shorter than a "
                      "window of {}: leave it out, or pass a smaller --ctx-size",
                      o.stride, tokens.size(), window));
    }
  }

  ProgressBar bar(o.model.quiet, "perplexity");
  std::string estimate;
  PerplexityHooks hooks;
  hooks.keep_going = [] { return !interrupted(); };
  hooks.on_progress = [&](double fraction) { bar.update(fraction, estimate); };
  hooks.on_window = [&](const PerplexityResult& so_far, std::size_t n_windows) {
    estimate = fmt::format("{:.4f}", so_far.perplexity);
    const std::size_t i = so_far.n_windows;
    const bool is_due = i * kReports / n_windows != (i - 1) * kReports / n_windows;
    if (!bar.enabled() && is_due) {
      log_info("window {} of {}: perplexity {:.4f} +- {:.4f}", i, n_windows, so_far.perplexity,
               so_far.standard_error);
    }
  };
  const PerplexityResult result = measure_perplexity(session, model.tokenizer(), tokens, options, hooks);
  bar.clear();
  if (!result.complete) return ExitCode::interrupted;
  if (result.n_left_out > 0) {
    log_info("the last {} of {} tokens do not fill a window and are left out", result.n_left_out,
             result.n_tokens);
  }
  log_profile(session, "profile");
  write_stdout(o.json ? format_json(result, options, session, model, o.model.session)
                      : format_text(result, options));
  return interrupted() ? ExitCode::interrupted : ExitCode::done;
}

}  // namespace

std::function<ExitCode()> add_perplexity_command(Command& app) {
  auto options = std::make_shared<PerplexityCommandOptions>();
  Command* command = app.add_subcommand("perplexity", "Measure how well a model predicts a text");
  add_options(*command, *options);
  return [options] { return perplexity(*options); };
}

}  // namespace bitnet::cli
