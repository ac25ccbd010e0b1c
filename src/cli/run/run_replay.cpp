#include "cli/run/run_replay.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "bitnet/chat.h"
#include "bitnet/error.h"
#include "bitnet/generate.h"
#include "bitnet/version.h"
#include "cli/options/builtin_model.h"
#include "cli/options/prompt_input.h"
#include "cli/run/run_receipt.h"
#include "cli/run/saved_receipt.h"
#include "cli/terminal/error_text.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/output.h"
#include "diagnostics/logits_digest.h"
#include "service/request/chat_form.h"

namespace bitnet::cli {
namespace {

// What is not as it was; empty: nothing.
std::string difference(const SavedReceipt& saved, const GenerateResult& now, const std::string& text,
                       std::uint64_t digest) {
  const auto [a, b] = std::ranges::mismatch(now.tokens, saved.ids);
  if (a != now.tokens.end() || b != saved.ids.end()) {
    const auto name = [](auto at, const std::vector<TokenId>& ids) {
      return at == ids.end() ? "none" : std::to_string(to_int(*at));
    };
    return fmt::format("token {} of the text is {}, and in the receipt {}", a - now.tokens.begin(),
                       name(a, now.tokens), name(b, saved.ids));
  }
  if (text != saved.text) return "the text is another one, though of the same tokens";
  if (name_of(now.reason) != saved.reason) {
    return fmt::format("the text ended by {}, and in the receipt by {}", name_of(now.reason), saved.reason);
  }
  const std::string shown = fmt::format("{:016x}", digest);
  if (shown != saved.digest) {
    return fmt::format("the logits' digest is {}, and in the receipt {}", shown, saved.digest);
  }
  return "";
}

}  // namespace

ExitCode replay_receipt(const std::string& path, ModelOptions options) {
  const std::string shown = path == "-" ? "stdin" : printable(path, kMaxPrintedPath);
  const SavedReceipt saved = parse_receipt(read_input(path, "the receipt"), shown);
  if (options.model.empty() && saved.model_file != kBuiltinModelName) options.model = saved.model_file;
  const ModelOptions as_it_is = options;
  options.head = saved.head;
  options.session.ctx_size = saved.ctx_size;
  options.session.kv_type = saved.kv_type;
  options.session.activations = saved.activations;
  options.hidden_act = saved.hidden_act;
  options.i2s_layout = saved.i2s_layout;
  log_debug("{} is of {}; this is bitnet {} ({})", shown, saved.program, version(), commit());

  const auto fail = [&](const std::string& what) {
    log_error("{} does not hold: {}", shown, what);
    return ExitCode::check_failed;
  };
  const auto difference_of = [&](const Model& model, const std::string& sha256) {
    if (sha256 == saved.sha256) return std::string();
    return fmt::format("{} is another model: its SHA-256 is {}, and in the receipt {}",
                       printable(model.info().file, kMaxPrintedPath), sha256, saved.sha256);
  };
  std::optional<Model> loaded;
  try {
    loaded.emplace(load_model(options));
  } catch (const UsageError&) {
    // Options that make no sense with it are most likely another model's.
    const Model other = load_model(as_it_is);
    const std::optional<std::string> sha256 = sha256_of_model(other);
    if (!sha256) return ExitCode::interrupted;
    const std::string what = difference_of(other, *sha256);
    if (what.empty()) throw;
    return fail(what);
  }
  const Model& model = *loaded;
  const std::optional<std::string> sha256 = sha256_of_model(model);
  if (!sha256) return ExitCode::interrupted;
  if (const std::string what = difference_of(model, *sha256); !what.empty()) return fail(what);
  GenerateResult result;
  LogitsDigest digest;
  std::string text;
  try {
    Session session = make_session(model, options);
    Sampler sampler(saved.sampler, model.info().vocab);
    GenerateOptions generation;
    generation.max_tokens = saved.max_tokens;
    generation.show_special = saved.special;
    generation.keep_going = [] { return !interrupted(); };
    generation.all_logits = true;
    generation.on_token = [&](const TokenStep& token) { digest.add(token.logits); };
    service::Stops stops =
        service::find_stops(saved.stop, saved.ignore_eos, saved.chat_template, model.tokenizer());
    generation.stop_tokens = std::move(stops.tokens);
    generation.stop_strings = std::move(stops.strings);
    std::vector<TokenId> history;
    result = generate(model, session, sampler, history, saved.prompt, generation, [&](std::string_view part) {
      text += part;
      return true;
    });
  } catch (const OptionError& e) {
    throw ModelError(shown, error_text(e), kMakeAReceipt);
  }
  if (result.reason == StopReason::interrupted) return ExitCode::interrupted;
  const std::string what = difference(saved, result, text, digest.value());
  if (!what.empty()) return fail(what);
  write_stdout(fmt::format("{} holds: the same {} tokens, the same bits of their logits\n", shown,
                           result.tokens.size()));
  return ExitCode::done;
}

}  // namespace bitnet::cli
