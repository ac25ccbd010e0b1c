// run --json prints one object, the same for the same command whatever the machine, threads and backend:
//   schema, version   "bitnet.run", 1; the version changes when a field changes its name or meaning, not when
//                     one is added
//   program, commit   that wrote it
//   model             {name, architecture, file, bytes}: as its file names it (may be empty), its kind, its
//                     path or "built-in canary", its size
//   options           what decides which text comes: run_record.h
//   prompt            {text, ids}: as it was given, null if that is no UTF-8 or --ids; the ids that were run
//   text              what was generated: valid UTF-8, bytes that can never be part of it as U+FFFD
//   reason            why it ended: "max_tokens", "stop_token", "stop_string", "context_full", "interrupted"
//   tokens            one object for each token that was generated, a final stop token included:
//     id
//     piece           what it spells, a control token its name; null if that is no UTF-8 by itself
//     bytes           the same in hexadecimal
//     text            the part of the text that became certain with this token; what only the end of the run
//                     made certain (unfinished UTF-8, what could have begun a stop string) is in none
//     logprob         with --logprobs alone: the natural logarithm of its probability under the model, before
//                     temperature, penalty and filters
//     top             likewise: [{id, piece, bytes, logprob}], the K likeliest, best first
//
// run --jsonl prints the same as lines, each at once and with schema "bitnet.run.event", version 1 and event:
//   "start"   program, commit, model, options, prompt; after the prompt has run
//   "token"   index, from 0, and the fields of a token
//   "end"     reason; text: what is not in any token's; n_prompt, n_tokens. Without it the run did not end in
//             order: its error is on stderr
// The texts of all lines joined are what run prints without options.
#include <nlohmann/json.hpp>
#include <utility>

#include "bitnet/tokenizer.h"
#include "cli/run/run_output.h"
#include "cli/run/run_record.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"
#include "diagnostics/json_text.h"
#include "engine/logprobs.h"
#include "service/request/token_json.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

void print(std::string_view text) { interrupted() ? write_last_words(text) : write_stdout(text); }

// What both forms have in common.
class JsonOutput : public RunOutput {
 public:
  JsonOutput(const Model& model, const RunPrompt& prompt, Json options, std::optional<std::size_t> n_top)
      : model_(model), prompt_(prompt), options_(std::move(options)) {
    if (n_top) logprobs_.emplace(*n_top, model.info().vocab);
  }

  bool add_text(std::string_view text) override {
    text_ += text;
    return !interrupted();
  }

 protected:
  // The text since the last call.
  std::string take_text() { return std::exchange(text_, {}); }

  void describe(const TokenStep& token, std::string_view text, Json& json) {
    json.update(service::named_token_json(model_.tokenizer(), token.id));
    json["text"] = text;
    if (!logprobs_) return;
    logprobs_->set(token.logits);
    json["logprob"] = logprobs_->of(token.id);
    json["top"] = service::top_json(model_.tokenizer(), *logprobs_);
  }

  // What ran, behind the fields that say what this is.
  Json describe_run() const {
    return {{"model", run_model_json(model_.info())},
            {"options", options_},
            {"prompt", run_prompt_json(prompt_.text, prompt_.ids)}};
  }

 private:
  const Model& model_;
  RunPrompt prompt_;
  Json options_;
  std::optional<Logprobs> logprobs_;
  std::string text_;
};

class ObjectOutput : public JsonOutput {
 public:
  using JsonOutput::JsonOutput;

  void add_token(const TokenStep& token) override {
    const std::string text = take_text();
    all_text_ += text;
    Json json;
    describe(token, text, json);
    tokens_.push_back(std::move(json));
  }

  void finish(const GenerateResult& result) override {
    all_text_ += take_text();
    Json all = schema_json("bitnet.run", 1);
    all.update(describe_run());
    all.update({{"text", all_text_}, {"reason", name_of(result.reason)}, {"tokens", std::move(tokens_)}});
    print(in_lines(all));
  }

 private:
  std::string all_text_;
  Json tokens_ = Json::array();
};

class LinesOutput : public JsonOutput {
 public:
  using JsonOutput::JsonOutput;

  void add_token(const TokenStep& token) override {
    start();
    Json json = event("token");
    json["index"] = n_tokens_++;
    describe(token, take_text(), json);
    write(json);
  }

  void finish(const GenerateResult& result) override {
    start();
    Json json = event("end");
    json["reason"] = name_of(result.reason);
    json["text"] = take_text();
    json["n_prompt"] = result.n_prompt;
    json["n_tokens"] = result.tokens.size();
    write(json);
  }

 private:
  static Json event(const char* name) {
    return {{"schema", "bitnet.run.event"}, {"version", 1}, {"event", name}};
  }
  static void write(const Json& json) { print(json.dump() + "\n"); }

  // With the first line: by then nothing can be refused any more.
  void start() {
    if (std::exchange(started_, true)) return;
    Json json = event("start");
    const Json program = schema_json("bitnet.run.event", 1);
    for (const char* field : {"program", "commit"}) json[field] = program.at(field);
    json.update(describe_run());
    write(json);
  }

  bool started_ = false;
  std::size_t n_tokens_ = 0;
};

}  // namespace

std::unique_ptr<RunOutput> make_json_output(JsonForm form, const Model& model, const RunPrompt& prompt,
                                            nlohmann::ordered_json options,
                                            std::optional<std::size_t> logprobs) {
  if (form == JsonForm::object) {
    return std::make_unique<ObjectOutput>(model, prompt, std::move(options), logprobs);
  }
  return std::make_unique<LinesOutput>(model, prompt, std::move(options), logprobs);
}

}  // namespace bitnet::cli
