// The receipt is one object. Between two runs of the same command, with the same model and wherever they are,
// only machine and timings differ:
//   schema, version   "bitnet.receipt", 1; the version changes when a field changes its name or meaning, not
//                     when one is added
//   program           "bitnet" and its version
//   model             {name, architecture, bytes, sha256}: of its file, or of the built-in one as if it were
//   a
//                     file, or of all parts of a split one as if they were one; the name may be empty
//   options           what decides which text comes: {template, system, special, max_tokens (null: no limit),
//                     stop, ignore_eos, temperature, top_k, top_p, min_p, repeat_penalty, repeat_window,
//                     seed, ctx_size, kv_type, activations}; a text that is no UTF-8 is {bytes: in
//                     hexadecimal}
//   prompt            {text, ids}: as it was given, null if that is no UTF-8; the ids that were run
//   output            {ids, text, reason}: a final stop token included; why it ended, as run --json says it
//   logits            {digest, rows, vocab}: 64-bit FNV-1a, in hexadecimal, over the bits of the float32
//   logits
//                     that each token of the output was chosen from, 32 bits at a time: as many rows as there
//                     are tokens, each of as many logits as the vocabulary has tokens
//   machine           what changes no result: {cpu, cores, backend, threads, pin, prefill_chunk, weights,
//                     model_file, peak_memory_bytes}
//   timings           in seconds, null where there is nothing to time:
//     load_seconds                 opening the model and checking it
//     prefill_seconds              running the prompt
//     first_token_seconds          that, and choosing the first token
//     token_seconds                {median, p95} of the tokens after the first: running the model, choosing
//                                  the token; without writing it, and without digest and log-probabilities
//     prefill_tokens_per_second, decode_tokens_per_second   of the prompt; of the tokens after the first
#include "cli/run/run_receipt.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <utility>

#include "base/cpu_count.h"
#include "base/output_file.h"
#include "base/printable.h"
#include "cli/options/number_option.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/json_text.h"
#include "cli/terminal/memory_use.h"
#include "diagnostics/benchmark.h"
#include "diagnostics/machine_limits.h"
#include "diagnostics/sha256.h"
#include "model/model_impl.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

// 0.7F is 0.7 here, not 0.699999988079071.
Json number_json(float value) { return Json::parse(digits_of(value)); }

Json ids_json(std::span<const TokenId> ids) {
  Json json = Json::array();
  for (const TokenId id : ids) json.push_back(to_int(id));
  return json;
}

Json model_json(const ModelInfo& info, std::string sha256) {
  return {{"name", info.name},
          {"architecture", info.architecture},
          {"bytes", info.file_bytes},
          {"sha256", std::move(sha256)}};
}

Json options_json(const Receipt::Run& run) {
  const RunOptions& o = run.options;
  const SamplerOptions sampler = o.sampling.sampler();
  Json stop = Json::array();
  for (const std::string& text : o.stop) stop.push_back(argument_json(text));
  return {{"template", name_of(run.chat_template)},
          {"system", argument_json(o.system)},
          {"special", o.special},
          {"max_tokens", o.max_tokens < 0 ? Json() : Json(o.max_tokens)},
          {"stop", std::move(stop)},
          {"ignore_eos", o.ignore_eos},
          {"temperature", number_json(sampler.temperature)},
          {"top_k", sampler.top_k},
          {"top_p", number_json(sampler.top_p)},
          {"min_p", number_json(sampler.min_p)},
          {"repeat_penalty", number_json(sampler.repeat_penalty)},
          {"repeat_window", sampler.repeat_window},
          {"seed", sampler.seed},
          {"ctx_size", run.session.ctx_size()},
          {"kv_type", o.model.session.kv_type == KvType::f16 ? "f16" : "f32"},
          {"activations", o.model.session.activations == ActivationType::int8 ? "int8" : "f32"}};
}

Json machine_json(const Receipt::Run& run, std::uint64_t peak_bytes) {
  const ModelOptions& o = run.options.model;
  return {{"cpu", cpu_name()},
          {"cores", usable_cores()},
          {"backend", run.session.backend()},
          {"threads", run.session.n_threads()},
          {"pin", o.session.pin_threads},
          {"prefill_chunk", o.session.prefill_chunk},
          {"weights", name_of(o.weights)},
          {"model_file", printable(run.model.info().file, kMaxPrintedPath)},
          {"peak_memory_bytes", peak_bytes}};
}

Json rate_json(std::size_t n, double seconds) {
  return n > 0 && seconds > 0 ? Json(static_cast<double>(n) / seconds) : Json();
}

// `seconds`: of each token.
Json timings_json(const Receipt::Run& run, std::span<const double> seconds) {
  const GenerateResult& r = run.result;
  Json json{{"load_seconds", run.load_seconds},
            {"prefill_seconds", r.prefill_seconds},
            {"first_token_seconds", nullptr},
            {"token_seconds", nullptr},
            {"prefill_tokens_per_second", rate_json(r.n_prompt, r.prefill_seconds)},
            {"decode_tokens_per_second", nullptr}};
  if (seconds.empty()) return json;
  json["first_token_seconds"] = seconds.front();
  std::vector<double> rest(seconds.begin() + 1, seconds.end());
  if (rest.empty()) return json;
  std::ranges::sort(rest);
  // The smallest that at least 95 % do not exceed.
  const auto rank = static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(rest.size())));
  json["token_seconds"] = {{"median", statistics_of(rest).median}, {"p95", rest[rank - 1]}};
  json["decode_tokens_per_second"] = rate_json(rest.size(), std::accumulate(rest.begin(), rest.end(), 0.0));
  return json;
}

}  // namespace

bool Receipt::write(const Run& run) const {
  const std::uint64_t peak_bytes = memory_use().peak_bytes;  // reading the file through may raise it
  const ModelInfo& info = run.model.info();
  // After the run: before it the first token would wait, and beside it both would take each other's time.
  const gguf::File& model_file = run.model.impl().file;
  std::vector<std::span<const std::byte>> parts;
  for (std::size_t i = 0; i < model_file.n_parts(); ++i) parts.push_back(model_file.part(i).bytes());
  const std::optional<std::string> sha256 = sha256_of(parts, [] { return !interrupted(); });
  if (!sha256) return false;
  OutputFile file(*run.options.receipt);
  file.write(in_lines(
      {{"schema", "bitnet.receipt"},
       {"version", 1},
       {"program", "bitnet " BITNET_VERSION},
       {"model", model_json(info, *sha256)},
       {"options", options_json(run)},
       {"prompt", {{"text", text_json(run.prompt.text)}, {"ids", ids_json(run.prompt.ids)}}},
       {"output",
        {{"ids", ids_json(run.result.tokens)}, {"text", text_}, {"reason", name_of(run.result.reason)}}},
       {"logits",
        {{"digest", fmt::format("{:016x}", digest_.value())},
         {"rows", seconds_.size()},
         {"vocab", info.vocab}}},
       {"machine", machine_json(run, peak_bytes)},
       {"timings", timings_json(run, seconds_)}}));
  file.commit();
  return true;
}

}  // namespace bitnet::cli
