// run --score --json prints one object, the same for the same command whatever the machine:
//   schema, version   "bitnet.score", 1; the version changes when a field changes its name or meaning, not
//   when
//                     one is added
//   program, commit   that wrote it
//   model             {name, architecture, file, bytes}: as run --json has it
//   options           {template, think, system, special, ctx_size, kv_type, activations, hidden_act,
//                     i2s_layout, head}: run_record.h
//   prompt            {text, ids, tokens, score}: as it was given, null if that is no UTF-8; the ids that
//   were
//                     run; of each token
//     id, piece, bytes  as run --json has them
//     logprob           the natural logarithm of its probability, given all before it; null for the first,
//                       which has none before it
//     top               with --logprobs alone: the K likeliest in its place; null for the first
//                     and of all that have one
//     tokens, bytes     how many; what they spell, control tokens nothing
//     logprob           the sum: of the text as a whole
//     mean_logprob      per token
//     bits_per_byte     null without bytes
//     perplexity        exp(-mean_logprob)
//   choices           one object for each --choice, as if it stood behind the prompt: {text, from, tokens,
//                     score}; from: how many of the prompt's tokens stand before those that are scored. Where
//                     the text's end and the choice's beginning make one token, that is scored with the
//                     choice.
//   best              {logprob, bits_per_byte}: the index of the choice with the highest sum, and of the one
//                     with the fewest bits per byte, which does not favour short ones; of equals the first;
//                     null without choices
#include "cli/run/run_score.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "bitnet/error.h"
#include "bitnet/score.h"
#include "cli/options/template_option.h"
#include "cli/run/run_record.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress_bar.h"
#include "diagnostics/json_text.h"
#include "engine/logprobs.h"
#include "service/request/chat_form.h"
#include "service/request/token_json.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Part {
  std::string text;
  std::size_t from = 0;  // tokens before those that are scored
  std::vector<TokenId> ids;
  Json tokens = Json::array();
  std::vector<std::optional<double>> logprobs;  // of each token
  Score score;
};

// Scores one part after the other, keeping what of the sequence they share.
class Scorer {
 public:
  Scorer(const ScoreRun& run, std::size_t n_parts)
      : run_(run), bar_(run.options.model.quiet, "scoring"), n_parts_(n_parts) {
    if (run.options.logprobs) top_.emplace(*run.options.logprobs, run.model.info().vocab);
  }

  // `ids` is a whole sequence, of which those from `from` on are scored. False: interrupted.
  bool add(const std::vector<TokenId>& ids, std::size_t from, Part& part) {
    part.from = from;
    part.ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(from), ids.end());
    // The token before the first that is scored is run again: its logits are needed.
    const auto common = static_cast<std::size_t>(std::ranges::mismatch(held_, ids).in2 - ids.begin());
    const std::size_t kept = std::min(common, from == 0 ? 0 : from - 1);
    run_.session.rewind(Position{static_cast<std::int32_t>(kept)});
    const std::span<const TokenId> rest = std::span(ids).subspan(kept);
    if (from == 0 && !ids.empty()) add_token(part, ids.front(), std::nullopt, {});
    ScoreOptions options;
    options.first = std::max<std::size_t>(from - kept, 1);
    options.on_token = [&](const ScoredToken& token) {
      add_token(part, token.id, token.logprob, token.logits);
      bar_.update((static_cast<double>(n_done_) +
                   static_cast<double>(token.index) / static_cast<double>(rest.size())) /
                  static_cast<double>(n_parts_));
    };
    options.keep_going = [] { return !interrupted(); };
    part.score = score(run_.model, run_.session, rest, options);
    held_.assign(ids.begin(), ids.begin() + to_int(run_.session.position()));
    ++n_done_;
    return !interrupted();
  }
  void finish() { bar_.clear(); }

 private:
  void add_token(Part& part, TokenId id, std::optional<double> logprob, std::span<const float> logits) {
    const Tokenizer& tokenizer = run_.model.tokenizer();
    part.logprobs.push_back(logprob);
    if (!run_.options.json) return;
    Json json = service::named_token_json(tokenizer, id);
    json["logprob"] = logprob ? Json(*logprob) : Json();
    if (top_) {
      json["top"] = Json();
      if (logprob) {
        top_->set(logits);
        json["top"] = service::top_json(tokenizer, *top_);
      }
    }
    part.tokens.push_back(std::move(json));
  }

  const ScoreRun& run_;
  ProgressBar bar_;
  std::optional<Logprobs> top_;
  std::vector<TokenId> held_;  // by the session
  std::size_t n_parts_;
  std::size_t n_done_ = 0;
};

// The prompt with a choice behind it. As it stands they are one text, since that is how the model would have
// read it; a template has closed the prompt's turn before.
std::vector<TokenId> encode_with(const ScoreRun& run, const std::string& choice) {
  const RunOptions& o = run.options;
  if (run.form.chat_template == ChatTemplate::raw) {
    return service::encode_prompt(run.form, run.model, run.prompt + choice, o.system, o.special);
  }
  std::vector<TokenId> ids(run.prompt_ids.begin(), run.prompt_ids.end());
  const std::vector<TokenId> more =
      run.model.tokenizer().encode(choice, {.add_bos = false, .parse_special = o.special});
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

std::size_t best_of(const std::vector<Part>& choices, double (*value)(const Score&)) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < choices.size(); ++i) {
    if (value(choices[i].score) > value(choices[best].score)) best = i;
  }
  return best;
}

std::size_t best_by_logprob(const std::vector<Part>& choices) {
  return best_of(choices, [](const Score& s) { return s.logprob; });
}
std::size_t best_by_bits(const std::vector<Part>& choices) {
  return best_of(choices, [](const Score& s) { return s.n_bytes == 0 ? -HUGE_VAL : -s.bits_per_byte(); });
}

Json score_json(const Score& s) {
  return {{"tokens", s.n_tokens},
          {"bytes", s.n_bytes},
          {"logprob", s.logprob},
          {"mean_logprob", number_json(s.mean())},
          {"bits_per_byte", number_json(s.bits_per_byte())},
          {"perplexity", number_json(s.perplexity())}};
}

Json options_json(const ScoreRun& run) {
  const Json all = run_options_json(run.options, run.form, run.model, run.session);
  Json json;
  for (const char* name : {"template", "think", "system", "special", "ctx_size", "kv_type", "activations",
                           "hidden_act", "i2s_layout", "head"}) {
    json[name] = all.at(name);
  }
  return json;
}

std::string format_json(const ScoreRun& run, Part prompt, std::vector<Part> choices) {
  Json all = schema_json("bitnet.score", 1);
  all["model"] = run_model_json(run.model.info());
  all["options"] = options_json(run);
  all["prompt"] = run_prompt_json(run.prompt, run.prompt_ids);
  all["prompt"]["tokens"] = std::move(prompt.tokens);
  all["prompt"]["score"] = score_json(prompt.score);
  Json& list = all["choices"] = Json::array();
  for (Part& choice : choices) {
    list.push_back({{"text", argument_json(choice.text)},
                    {"from", choice.from},
                    {"tokens", std::move(choice.tokens)},
                    {"score", score_json(choice.score)}});
  }
  all["best"] = nullptr;
  if (!choices.empty()) {
    all["best"] = {{"logprob", best_by_logprob(choices)}, {"bits_per_byte", best_by_bits(choices)}};
  }
  return in_lines(all);
}

std::string format_tokens(const ScoreRun& run, const Part& part) {
  std::string text = fmt::format("{:>10}  {:>11}  {}\n", "logprob", "probability", "token");
  for (std::size_t i = 0; i < part.ids.size(); ++i) {
    const std::string piece =
        printable(run.model.tokenizer().bytes_of(part.ids[i], /*with_special=*/true), kMaxPrintedName);
    const std::optional<double>& logprob = part.logprobs[i];
    text += logprob ? fmt::format("{:>10.4f}  {:>9.4f} %  {}\n", *logprob, 100 * std::exp(*logprob), piece)
                    : fmt::format("{:>10}  {:>11}  {}\n", "", "", piece);
  }
  const Score& s = part.score;
  return text + fmt::format("sum {:.4f}, mean {:.4f} over {} tokens; {} over {} bytes; perplexity {:.4f}\n",
                            s.logprob, s.mean(), s.n_tokens,
                            s.n_bytes == 0 ? "no bits per byte"
                                           : fmt::format("{:.4f} bits per byte", s.bits_per_byte()),
                            s.n_bytes, s.perplexity());
}

std::string format_choices(const std::vector<Part>& choices) {
  std::string text =
      fmt::format("{:>10}  {:>9}  {:>9}  {:>6}  {}\n", "sum", "mean", "bits/byte", "tokens", "choice");
  const std::size_t best = best_by_logprob(choices);
  const std::size_t best_per_byte = best_by_bits(choices);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const Score& s = choices[i].score;
    const std::string bits = s.n_bytes == 0 ? "" : fmt::format("{:.4f}", s.bits_per_byte());
    text += fmt::format("{:>10.4f}  {:>9.4f}  {:>9}  {:>6}  {}\n", s.logprob, s.mean(), bits, s.n_tokens,
                        printable(choices[i].text, kMaxPrintedName));
  }
  text += "best                  " + printable(choices[best].text, kMaxPrintedName) + "\n";
  if (best_per_byte != best) {
    text += "best per byte         " + printable(choices[best_per_byte].text, kMaxPrintedName) + "\n";
  }
  return text;
}

}  // namespace

ExitCode run_score(const ScoreRun& run) {
  const std::vector<std::string>& texts = run.options.choices;
  const std::vector<TokenId> prompt_ids(run.prompt_ids.begin(), run.prompt_ids.end());
  if (texts.empty() && prompt_ids.size() < 2) {
    throw UsageError(
        "--score: the text has no token to score, as each needs one before it; pass a longer text");
  }
  std::vector<Part> choices(texts.size());
  Scorer scorer(run, texts.size() + 1);
  Part prompt;
  if (!scorer.add(prompt_ids, 0, prompt)) return ExitCode::interrupted;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<TokenId> ids = encode_with(run, texts[i]);
    const auto common = std::ranges::mismatch(prompt_ids, ids).in2 - ids.begin();
    choices[i].text = texts[i];
    if (!scorer.add(ids, static_cast<std::size_t>(common), choices[i])) return ExitCode::interrupted;
    if (choices[i].score.n_tokens == 0) {
      throw UsageError("--choice '" + printable(texts[i], kMaxPrintedName) +
                       "' has no token to score, as each needs one before it; pass a longer text");
    }
  }
  scorer.finish();
  log_profile(run.session, "profile");
  std::string text;
  if (run.options.json) {
    text = format_json(run, std::move(prompt), std::move(choices));
  } else {
    text = choices.empty() ? format_tokens(run, prompt) : format_choices(choices);
  }
  write_stdout(text);
  return interrupted() ? ExitCode::interrupted : ExitCode::done;
}

}  // namespace bitnet::cli
