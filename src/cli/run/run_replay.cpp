#include "cli/run/run_replay.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
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
#include "cli/terminal/error_text.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "cli/terminal/output.h"
#include "cli/terminal/saved_json.h"
#include "diagnostics/json_text.h"
#include "diagnostics/logits_digest.h"
#include "service/request/chat_form.h"

namespace bitnet::cli {
namespace {

constexpr std::string_view kMakeOne = "write one with bitnet run --receipt FILE";
constexpr SavedForm kReceiptForm{"bitnet.receipt", 1, "receipt", kMakeOne};

struct SavedRun {
  std::string program;
  std::string model_file;
  std::string sha256;
  ChatTemplate chat_template = ChatTemplate::raw;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  bool special = false;
  std::size_t max_tokens = static_cast<std::size_t>(-1);
  SamplerOptions sampler;
  std::size_t ctx_size = 0;
  KvType kv_type{};
  ActivationType activations{};
  std::optional<HiddenAct> hidden_act;  // none in receipts of earlier versions
  std::optional<I2sLayout> i2s_layout;  // none without I2_S tensors, too
  HeadChoice head;
  std::vector<TokenId> prompt;
  std::vector<TokenId> ids;  // that came of it, and so the rest
  std::string text;
  std::string reason;
  std::string digest;
};

// A whole number that the type holds: the library's own conversion would cut off what is none, or too large.
template <typename Number>
Number whole(const SavedJson& json) {
  const bool is_negative = json.is_number_integer() && !json.is_number_unsigned();
  const bool fits = is_negative
                        ? std::in_range<Number>(json.get<std::int64_t>())
                        : json.is_number_unsigned() && std::in_range<Number>(json.get<std::uint64_t>());
  if (!fits) throw UsageError("number " + json.dump() + " is no whole one that can stand there");
  return json.get<Number>();
}

std::vector<TokenId> ids_of(const SavedJson& list) {
  std::vector<TokenId> ids;
  for (const SavedJson& json : list) {
    const TokenId id{whole<std::int32_t>(json)};
    if (to_int(id) < 0) throw UsageError("token id " + json.dump() + " is less than 0");
    ids.push_back(id);
  }
  return ids;
}

// A text, or the bytes of what is no UTF-8.
std::string argument_of(const SavedJson& json) {
  if (json.is_string()) return json.get<std::string>();
  const auto hex = json.at("bytes").get<std::string>();
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

SavedRun parse(const SavedJson& json) {
  SavedRun run;
  run.program = json.at("program").get<std::string>() + " (" + json.value("commit", "unknown") + ")";
  run.sha256 = json.at("model").at("sha256");
  run.model_file = json.at("machine").at("model_file");
  const SavedJson& o = json.at("options");
  const auto chat_template = find_chat_template(o.at("template").get<std::string>());
  if (!chat_template) throw UsageError("template: this version has none of that name");
  run.chat_template = *chat_template;
  for (const SavedJson& text : o.at("stop")) run.stop.push_back(argument_of(text));
  o.at("ignore_eos").get_to(run.ignore_eos);
  o.at("special").get_to(run.special);
  if (!o.at("max_tokens").is_null()) run.max_tokens = whole<std::size_t>(o.at("max_tokens"));
  SamplerOptions& s = run.sampler;
  o.at("temperature").get_to(s.temperature);
  s.top_k = whole<std::int32_t>(o.at("top_k"));
  o.at("top_p").get_to(s.top_p);
  o.at("min_p").get_to(s.min_p);
  o.at("repeat_penalty").get_to(s.repeat_penalty);
  s.repeat_window = whole<std::int32_t>(o.at("repeat_window"));
  s.seed = whole<std::uint64_t>(o.at("seed"));
  run.ctx_size = whole<std::size_t>(o.at("ctx_size"));
  run.kv_type = parse_kv_type(o.at("kv_type"));
  run.activations = parse_activations(o.at("activations"));
  run.hidden_act = parse_hidden_act(o.value("hidden_act", "auto"));
  if (o.contains("i2s_layout") && !o.at("i2s_layout").is_null()) {
    run.i2s_layout = parse_i2s_layout(o.at("i2s_layout"));
  }
  const std::string head = o.at("head");
  run.head = parse_head(head == "stored" ? "exact" : head);
  run.prompt = ids_of(json.at("prompt").at("ids"));
  const SavedJson& output = json.at("output");
  run.ids = ids_of(output.at("ids"));
  output.at("text").get_to(run.text);
  output.at("reason").get_to(run.reason);
  json.at("logits").at("digest").get_to(run.digest);
  return run;
}

SavedRun read(const std::string& path, const std::string& shown) {
  const SavedJson json = parse_saved(read_input(path, "the receipt"), shown, kReceiptForm);
  try {
    return parse(json);
  } catch (const SavedJson::exception&) {
    throw ModelError(shown, "lacks a field or has one of another type", kMakeOne);
  } catch (const std::logic_error&) {  // of stoi
    throw ModelError(shown, "has bytes that are no hexadecimal digits", kMakeOne);
  } catch (const UsageError& e) {
    throw ModelError(shown, e.what(), kMakeOne);
  }
}

// What is not as it was; empty: nothing.
std::string difference(const SavedRun& saved, const GenerateResult& now, const std::string& text,
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
  const SavedRun saved = read(path, shown);
  if (options.model.empty() && saved.model_file != kBuiltinModelName) options.model = saved.model_file;
  options.head = saved.head;
  options.session.ctx_size = saved.ctx_size;
  options.session.kv_type = saved.kv_type;
  options.session.activations = saved.activations;
  options.hidden_act = saved.hidden_act;
  options.i2s_layout = saved.i2s_layout;
  log_debug("{} is of {}; this is bitnet {} ({})", shown, saved.program, version(), commit());

  const Model model = load_model(options);
  const auto fail = [&](const std::string& what) {
    log_error("{} does not hold: {}", shown, what);
    return ExitCode::check_failed;
  };
  const std::optional<std::string> sha256 = sha256_of_model(model);
  if (!sha256) return ExitCode::interrupted;
  if (*sha256 != saved.sha256) {
    return fail(fmt::format("{} is another model: its SHA-256 is {}, and in the receipt {}",
                            printable(model.info().file, kMaxPrintedPath), *sha256, saved.sha256));
  }
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
    throw ModelError(shown, error_text(e), kMakeOne);
  }
  if (result.reason == StopReason::interrupted) return ExitCode::interrupted;
  const std::string what = difference(saved, result, text, digest.value());
  if (!what.empty()) return fail(what);
  write_stdout(fmt::format("{} holds: the same {} tokens, the same bits of their logits\n", shown,
                           result.tokens.size()));
  return ExitCode::done;
}

}  // namespace bitnet::cli
