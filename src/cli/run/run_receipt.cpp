// The receipt is one object. Between two runs of the same command, with the same model and wherever they are,
// only machine and timings differ:
//   schema, version   "bitnet.receipt", 1; the version changes when a field changes its name or meaning, not
//                     when one is added
//   program, commit   "bitnet" and its version; what it was built from
//   model             {name, architecture, bytes, sha256}: of its file, or of the built-in one as if it were
//   a
//                     file, or of all parts of a split one as if they were one; the name may be empty
//   options           what decides which text comes: run_record.h
//   prompt            {text, ids}: as it was given, null if that is no UTF-8 or --ids; the ids that were run
//   output            {ids, text, reason}: a final stop token included; why it ended, as run --json says it
//   logits            {digest, rows, vocab}: 64-bit FNV-1a, in hexadecimal, over the bits of the float32
//   logits
//                     that each token of the output was chosen from, 32 bits at a time: as many rows as there
//                     are tokens, each of as many logits as the vocabulary has tokens
//   machine           what changes no result: {cpu, cores, backend, threads, pin, prefill_chunk, weights,
//                     draft ("auto", "off" or a number), prompt_tokens_cached (taken from --prompt-cache),
//                     model_file, peak_memory_bytes (null: not known)}
//   timings           in seconds, null where there is nothing to time:
//     load_seconds                 opening the model and checking it
//     prefill_seconds              running the prompt, or taking it from its cache
//     first_token_seconds          that, and choosing the first token
//     token_seconds                {median, p95} of the tokens after the first: running the model, choosing
//                                  the token; without writing it, and without digest and log-probabilities.
//                                  Of those that a draft had right, choosing alone
//     prefill_tokens_per_second, decode_tokens_per_second   of the prompt; of the tokens after the first
//     drafts                       {passes, drafted, accepted, tokens_per_pass}: passes after the prompt's,
//                                  tokens guessed and those of them that were right
#include "cli/run/run_receipt.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <utility>

#include "base/cpu_count.h"
#include "base/output_file.h"
#include "base/printable.h"
#include "cli/options/draft_option.h"
#include "cli/run/run_record.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/memory_use.h"
#include "diagnostics/benchmark.h"
#include "diagnostics/cpu_name.h"
#include "diagnostics/json_text.h"
#include "diagnostics/sha256.h"
#include "model/model_impl.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

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

Json machine_json(const Receipt::Run& run, std::uint64_t peak_bytes) {
  const ModelOptions& o = run.options.model;
  return {{"cpu", cpu_name()},
          {"cores", usable_cores()},
          {"backend", run.session.backend()},
          {"threads", run.session.n_threads()},
          {"pin", o.session.pin_threads},
          {"prefill_chunk", o.session.prefill_chunk},
          {"weights", name_of(o.weights)},
          {"draft", name_of(run.options.draft.value_or(DraftOptions{}))},
          {"prompt_tokens_cached", run.result.n_cached},
          {"model_file", printable(run.model.info().file, kMaxPrintedPath)},
          {"peak_memory_bytes", peak_bytes == 0 ? Json() : Json(peak_bytes)}};
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
            {"prefill_tokens_per_second", rate_json(r.n_prompt - r.n_cached, r.prefill_seconds)},
            {"decode_tokens_per_second", nullptr},
            {"drafts",
             {{"passes", r.draft.n_passes},
              {"drafted", r.draft.n_drafted},
              {"accepted", r.draft.n_accepted},
              {"tokens_per_pass", r.draft.n_passes == 0 ? Json()
                                                        : Json(static_cast<double>(r.n_decode_steps) /
                                                               static_cast<double>(r.draft.n_passes))}}}};
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

std::optional<std::string> sha256_of_model(const Model& model) {
  const gguf::File& file = model.impl().file;
  std::vector<std::span<const std::byte>> parts;
  for (std::size_t i = 0; i < file.n_parts(); ++i) parts.push_back(file.part(i).bytes());
  return sha256_of(parts, [] { return !interrupted(); });
}

bool Receipt::write(const Run& run) const {
  const std::uint64_t peak_bytes = memory_use().peak_bytes;  // reading the file through may raise it
  const ModelInfo& info = run.model.info();
  // After the run: before it the first token would wait, and beside it both would take each other's time.
  const std::optional<std::string> sha256 = sha256_of_model(run.model);
  if (!sha256) return false;
  OutputFile file(*run.options.receipt);
  Json all = schema_json("bitnet.receipt", 1);
  all.update(
      {{"model", model_json(info, *sha256)},
       {"options", run_options_json(run.options, run.form, run.model, run.session)},
       {"prompt", run_prompt_json(run.prompt.text, run.prompt.ids)},
       {"output",
        {{"ids", ids_json(run.result.tokens)}, {"text", text_}, {"reason", name_of(run.result.reason)}}},
       {"logits",
        {{"digest", fmt::format("{:016x}", digest_.value())},
         {"rows", seconds_.size()},
         {"vocab", info.vocab}}},
       {"machine", machine_json(run, peak_bytes)},
       {"timings", timings_json(run, seconds_)}});
  file.write(in_lines(all));
  file.commit();
  return true;
}

}  // namespace bitnet::cli
