#include "service/batch/batch.h"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "bitnet/error.h"
#include "diagnostics/json_text.h"
#include "diagnostics/sha256.h"
#include "engine/logprobs.h"
#include "service/request/token_json.h"

namespace bitnet::service {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kKeyDigits = 16;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

RequestForm form_of_lines(const BatchOptions& options) {
  using enum RequestField;
  return {.fields = {{"prompt", prompt},
                     {"ids", ids},
                     {"messages", messages},
                     {"system", system},
                     {"template", chat_template},
                     {"think", think},
                     {"special", special},
                     {"max_tokens", max_tokens},
                     {"stop", stop},
                     {"ignore_eos", ignore_eos},
                     {"temperature", temperature},
                     {"temp", temperature},
                     {"top_k", top_k},
                     {"top_p", top_p},
                     {"min_p", min_p},
                     {"repeat_penalty", repeat_penalty},
                     {"repeat_window", repeat_window},
                     {"seed", seed},
                     {"logprobs", logprobs}},
          .others = {"id"},
          .defaults = options.defaults,
          .is_temperature_given = options.is_temperature_given,
          .refuses_idle = true};
}

// A request that is being answered, or was and waits for those before it.
struct Answer {
  std::size_t index = 0;  // in the order of the requests
  OrderedJson record;
  std::string text;
  OrderedJson tokens = OrderedJson::array();
  std::optional<Logprobs> logprobs;
  OrderedJson of_tokens = OrderedJson::array();
};

class BatchRun {
 public:
  BatchRun(const Model& model, Scheduler& scheduler, const BatchOptions& options, BatchCounts& counts)
      : model_(model),
        scheduler_(scheduler),
        options_(options),
        counts_(counts),
        form_(form_of_lines(options)),
        // More than can run, so that there is always a next one; few enough to hold their records.
        most_open_(4 * scheduler.n_sequences() + 64) {}

  bool has_room() const { return n_open() + held_.size() < most_open_; }
  bool is_idle() const { return n_open() == 0; }

  void begin(const Line& line) {
    ++counts_.n_read;
    const std::string key = batch_key(options_.settings, line.text);
    const Earlier earlier = options_.earlier ? options_.earlier(line.number, key) : Earlier::nothing;
    if (earlier != Earlier::nothing) {
      counts_.n_failed += earlier == Earlier::error;
      ++counts_.n_done;
      ++counts_.n_earlier;
      return;
    }
    auto answer = std::make_shared<Answer>();
    answer->index = n_begun_++;
    answer->record = schema_json("bitnet.batch", 1);
    answer->record["line"] = line.number;
    std::optional<std::string> fault;
    try {
      ask(line, key, answer);
      return;
    } catch (const UsageError& e) {
      fault = e.what();
    } catch (const ModelError& e) {
      fault = e.what();
    }
    name_record(*answer, key);
    finish_as_error(*answer, *fault);
  }

 private:
  std::size_t n_open() const { return scheduler_.n_running() + scheduler_.n_waiting(); }

  void ask(const Line& line, const std::string& key, const std::shared_ptr<Answer>& answer) {
    if (line.is_too_long) {
      throw UsageError("the line has more than " + std::to_string(LineReader::kMostBytes) + " bytes");
    }
    const Json object = parse_request(line.text);
    if (const auto id = object.find("id"); id != object.end() && !id->is_null()) {
      if (!id->is_string() && !id->is_number_integer()) {
        throw FieldError("id", "id must be a text or a whole number");
      }
      answer->record["id"] = *id;
    }
    const GenerationRequest request = read_request(object, form_);
    counts_.n_sampled += request.sampler.temperature != 0;
    SequenceRequest sequence = to_sequence(request, form_of(request, model_), model_);
    if (request.logprobs) answer->logprobs.emplace(*request.logprobs, model_.info().vocab);
    sequence.on_text = [answer](std::string_view text) {
      answer->text += text;
      return true;
    };
    sequence.on_token = [this, answer](const TokenStep& token) {
      answer->tokens.push_back(to_int(token.id));
      if (!answer->logprobs) return;
      answer->logprobs->set(token.logits);
      answer->of_tokens.push_back({{"logprob", answer->logprobs->of(token.id)},
                                   {"top", top_json(model_.tokenizer(), *answer->logprobs)}});
    };
    sequence.on_end = [this, answer](const SequenceEnd& end) {
      if (!end.error.empty()) return finish_as_error(*answer, end.error);
      answer->record.update({{"text", answer->text},
                             {"reason", name_of(end.result.reason)},
                             {"n_prompt", end.result.n_prompt},
                             {"tokens", std::move(answer->tokens)}});
      if (answer->logprobs) answer->record["logprobs"] = std::move(answer->of_tokens);
      finish(*answer);
    };
    name_record(*answer, key);
    scheduler_.add(std::move(sequence));
  }

  void name_record(Answer& answer, const std::string& key) const {
    answer.record["settings"] = options_.settings;
    answer.record["key"] = key;
  }

  void finish_as_error(Answer& answer, const std::string& message) {
    ++counts_.n_failed;
    answer.record["error"] = {{"message", message}};
    finish(answer);
  }

  void finish(const Answer& answer) {
    std::string record = answer.record.dump() + "\n";
    if (options_.unordered) {
      options_.write(record);
      ++counts_.n_done;
      return;
    }
    held_[answer.index] = std::move(record);
    while (!held_.empty() && held_.begin()->first == n_written_) {
      options_.write(held_.begin()->second);
      held_.erase(held_.begin());
      ++n_written_;
      ++counts_.n_done;
    }
  }

  const Model& model_;
  Scheduler& scheduler_;
  const BatchOptions& options_;
  BatchCounts& counts_;
  RequestForm form_;
  std::size_t most_open_;
  std::size_t n_begun_ = 0;
  std::size_t n_written_ = 0;
  std::map<std::size_t, std::string> held_;  // records that wait for earlier ones
};

}  // namespace

std::string batch_settings(std::string_view description) {
  return sha256_of(bytes_of(description))->substr(0, kKeyDigits);
}

std::string batch_key(std::string_view settings, std::string_view line) {
  const std::array pieces{bytes_of(settings), bytes_of("\n"), bytes_of(line)};
  return sha256_of(pieces)->substr(0, kKeyDigits);
}

void run_batch(const Model& model, Scheduler& scheduler, LineReader& lines, const BatchOptions& options,
               BatchCounts& counts) {
  BatchRun run(model, scheduler, options, counts);
  bool at_end = false;
  Line line;
  while (options.keep_going()) {
    while (!at_end && run.has_room() && options.keep_going()) {
      const LineReader::State state = lines.next(line, options.range, run.is_idle(), options.keep_going);
      if (state == LineReader::State::none_yet) break;
      at_end = state == LineReader::State::end;
      if (!at_end) run.begin(line);
    }
    if (!options.keep_going()) return;
    const bool has_more = scheduler.step();
    if (options.on_pass) options.on_pass();
    if (at_end && !has_more) return;
  }
}

}  // namespace bitnet::service
