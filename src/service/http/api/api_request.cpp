#include "service/http/api/api_request.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "base/printable.h"
#include "diagnostics/sha256.h"
#include "service/http/api/api_error.h"
#include "service/request/field_reader.h"
#include "service/request/generation_request.h"

namespace bitnet::http {
namespace {

using service::FieldError;
using service::FieldReader;
using service::Json;
using service::RequestField;
using service::RequestForm;

constexpr std::size_t kIdDigits = 24;
constexpr std::size_t kMostTopLogprobs = 20;  // of a token, as OpenAI has it

// What clients send along that says no more than what is done anyway.
constexpr std::array<std::string_view, 9> kIdle{"user",
                                                "metadata",
                                                "service_tier",
                                                "prompt_cache_key",
                                                "prompt_cache_retention",
                                                "safety_identifier",
                                                "prediction",
                                                "verbosity",
                                                "parallel_tool_calls"};

bool is_zero(const Json& value) { return value.is_number() && value == 0; }
bool is_one(const Json& value) { return value.is_number() && value == 1; }
bool is_false(const Json& value) { return value == false; }
bool is_empty(const Json& value) {
  return (value.is_string() || value.is_array() || value.is_object()) && (value.empty() || value == "");
}
bool is_text_form(const Json& value) { return value == Json{{"type", "text"}}; }
bool is_no_choice(const Json& value) { return value == "none" || value == "auto"; }
bool is_degree(const Json& value) { return value.is_string() && value != "none"; }
bool is_text_alone(const Json& value) { return value == Json::array({"text"}); }

// What a field may say that asks for nothing which is not done.
struct Harmless {
  std::string_view name;
  bool (*holds)(const Json& value);
  std::string_view wanted;  // "it can only be ..."
};

constexpr std::array<Harmless, 15> kHarmless{
    {{"presence_penalty", is_zero, "0; there is repeat_penalty"},
     {"frequency_penalty", is_zero, "0; there is repeat_penalty"},
     {"logit_bias", is_empty, "empty"},
     {"response_format", is_text_form, "{\"type\": \"text\"}"},
     {"tools", is_empty, "empty: the model is given none"},
     {"functions", is_empty, "empty: the model is given none"},
     {"tool_choice", is_no_choice, "none or auto: there are no tools"},
     {"function_call", is_no_choice, "none or auto: there are none"},
     {"modalities", is_text_alone, "[\"text\"]"},
     {"store", is_false, "false: nothing is kept"},
     {"reasoning_effort", is_degree, "low, medium or high, which are all one; for none there is think"},
     {"chat_template_kwargs", is_empty, "{\"enable_thinking\": ...}, without think"},
     {"repetition_penalty", is_one, "1; there is repeat_penalty"},
     {"suffix", is_empty, "empty: text is not filled in"},
     {"audio", is_empty, "empty"}}};

RequestForm common_form() {
  RequestForm form;
  form.most_logprobs = kMostTopLogprobs;
  form.fields = {{"max_tokens", RequestField::max_tokens},
                 {"temperature", RequestField::temperature},
                 {"top_p", RequestField::top_p},
                 {"top_k", RequestField::top_k},
                 {"min_p", RequestField::min_p},
                 {"repeat_penalty", RequestField::repeat_penalty},
                 {"repeat_window", RequestField::repeat_window},
                 {"seed", RequestField::seed},
                 {"stop", RequestField::stop},
                 {"ignore_eos", RequestField::ignore_eos}};
  form.others = {"model", "stream", "stream_options", "n", "best_of"};
  form.others.insert(form.others.end(), kIdle.begin(), kIdle.end());
  for (const Harmless& field : kHarmless) form.others.push_back(field.name);
  return form;
}

RequestForm form_for(ApiKind kind, const ServedModel& served) {
  RequestForm form = common_form();
  if (kind == ApiKind::completion) {
    form.fields.insert(form.fields.begin(), {"prompt", RequestField::prompt_or_ids});
    form.fields.push_back({"logprobs", RequestField::logprobs});
    form.fields.push_back({"special", RequestField::special});
    form.others.push_back("echo");
    return form;
  }
  form.fields.insert(form.fields.begin(), {"messages", RequestField::messages});
  form.fields.push_back({"max_completion_tokens", RequestField::max_tokens});
  form.fields.push_back({"logprobs", RequestField::wants_logprobs});
  form.fields.push_back({"top_logprobs", RequestField::n_logprobs});
  form.fields.push_back({"think", RequestField::think});
  form.defaults.chat_template = served.chat_template;
  form.defaults.think = served.think;
  form.defaults.sampler = {.temperature = 0.7F, .top_p = 0.95F};  // as `bitnet chat` has them
  return form;
}

// The field, unless it is null.
const Json* given(const Json& object, const char* name) {
  const auto at = object.find(name);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

// What clients of other servers say in words of those.
void translate(Json& object) {
  if (const auto k = object.find("top_k"); k != object.end() && *k == -1) *k = 0;
  // OpenAI's seeds have a sign, which is a bit like others here.
  const auto seed = object.find("seed");
  if (seed != object.end() && seed->is_number_integer() && !seed->is_number_unsigned()) {
    *seed = static_cast<std::uint64_t>(seed->get<std::int64_t>());
  }
  const auto kwargs = object.find("chat_template_kwargs");
  const bool is_about_thinking = kwargs != object.end() && kwargs->is_object() && kwargs->size() == 1 &&
                                 kwargs->contains("enable_thinking");
  if (is_about_thinking && !object.contains("think")) {
    Json think = std::move((*kwargs)["enable_thinking"]);
    object.erase(kwargs);
    object["think"] = std::move(think);
  }
}

void check_others(const Json& object, const ServedModel& served) {
  if (const Json* const model = given(object, "model")) {
    const std::string name = FieldReader("model", *model).text();
    if (!name.empty() && name != served.name) {
      throw ApiError({.status = 404,
                      .message = "there is no model '" + printable(name, kMaxPrintedName) +
                                 "' here; the one that is served is called '" + served.name + "'",
                      .param = "model",
                      .code = "model_not_found"});
    }
  }
  for (const Harmless& field : kHarmless) {
    const Json* const value = given(object, field.name.data());
    if (value == nullptr || field.holds(*value)) continue;
    throw FieldError(std::string(field.name),
                     std::string(field.name) + ": it can only be " + std::string(field.wanted));
  }
}

void read_stream(const Json& object, ApiRequest& request) {
  if (const Json* const stream = given(object, "stream")) {
    request.stream = FieldReader("stream", *stream).yes_or_no();
  }
  const Json* const options = given(object, "stream_options");
  if (options == nullptr) return;
  if (!request.stream) throw FieldError("stream_options", "stream_options needs stream: true");
  if (!options->is_object()) FieldReader("stream_options", *options).refuse("give {\"include_usage\": true}");
  for (const auto& [key, value] : options->items()) {
    const std::string name = "stream_options." + printable(key, kMaxPrintedName);
    if (key == "include_usage") {
      request.include_usage = !value.is_null() && FieldReader(name, value).yes_or_no();
    } else if (key != "include_obfuscation") {
      throw FieldError(name, name + ": there is no such field, but include_usage");
    }
  }
}

// Takes them out of the object where there are several, as OpenAI's completions may have: texts, or token ids
// each.
std::vector<Json> take_prompts(Json& object, std::size_t most) {
  const auto prompt = object.find("prompt");
  const bool is_list = prompt != object.end() && prompt->is_array() && !prompt->empty() &&
                       (prompt->front().is_string() || prompt->front().is_array());
  if (!is_list) return {};
  if (prompt->size() > most) {
    throw FieldError("prompt", "prompt: this server takes at most " + std::to_string(most) +
                                   " here, each of them being answered n times");
  }
  return std::move(prompt->get_ref<Json::array_t&>());
}

std::string echo_of(const service::GenerationRequest& asked, const Tokenizer& tokenizer) {
  const auto* const text = std::get_if<std::string>(&asked.prompt);
  if (text != nullptr) return *text;
  return tokenizer.decode(std::get<std::vector<TokenId>>(asked.prompt), asked.special);
}

void check_room(const SequenceRequest& sequence, ApiKind kind, const ServedModel& served) {
  if (sequence.prompt.size() <= served.ctx_size) return;
  throw ApiError({.status = 400,
                  .message = "the prompt has " + std::to_string(sequence.prompt.size()) +
                             " tokens, and the context holds " + std::to_string(served.ctx_size),
                  .param = kind == ApiKind::chat ? "messages" : "prompt",
                  .code = "context_length_exceeded"});
}

void limit_tokens(service::GenerationRequest& asked, const Json& object, const ServedModel& served) {
  if (!served.max_tokens) return;
  if (asked.max_tokens && *asked.max_tokens > *served.max_tokens) {
    const std::string name = given(object, "max_tokens") != nullptr ? "max_tokens" : "max_completion_tokens";
    throw FieldError(name, name + " " + std::to_string(*asked.max_tokens) +
                               ": this server lets an answer have at most " +
                               std::to_string(*served.max_tokens));
  }
  if (!asked.max_tokens) asked.max_tokens = served.max_tokens;
}

std::string id_of(ApiKind kind, std::string_view body, const ServedModel& served) {
  const std::array<std::span<const std::byte>, 2> pieces{std::as_bytes(std::span(served.name)),
                                                         std::as_bytes(std::span(body))};
  return (kind == ApiKind::chat ? "chatcmpl-" : "cmpl-") +
         sha256_of(pieces).value_or(std::string(kIdDigits, '0')).substr(0, kIdDigits);
}

}  // namespace

ApiRequest read_api_request(ApiKind kind, std::string_view body, const ServedModel& served) {
  if (body.empty()) throw FieldError("", "the body is empty; send a JSON object");
  Json object;
  try {
    object = service::parse_request(body);
  } catch (const FieldError& e) {
    const std::string_view why = e.what();
    throw FieldError("", (why.starts_with("is ") ? "the body " : "the body: ") + std::string(why));
  }
  translate(object);
  check_others(object, served);
  ApiRequest request{.kind = kind, .id = id_of(kind, body, served)};
  read_stream(object, request);
  const Json* const n = given(object, "n");
  if (n != nullptr) request.n_each = FieldReader("n", *n).whole<std::size_t>(1, served.most_choices);
  if (const Json* const best_of = given(object, "best_of");
      best_of != nullptr && *best_of != request.n_each) {
    throw FieldError("best_of", "best_of: it can only be n: all answers are given");
  }
  const RequestForm form = form_for(kind, served);
  const Json* const echo = kind == ApiKind::completion ? given(object, "echo") : nullptr;
  const bool has_echo = echo != nullptr && FieldReader("echo", *echo).yes_or_no();
  const auto add_jobs = [&] {
    service::GenerationRequest asked = service::read_request(object, form);
    limit_tokens(asked, object, served);
    const ChatForm chat_form = service::form_of(asked, *served.model);
    const std::string opening = has_echo ? echo_of(asked, served.model->tokenizer())
                                : chat_form.thinking == Thinking::begun ? "<think>\n"
                                                                        : "";
    SequenceRequest sequence = service::to_sequence(asked, chat_form, *served.model);
    check_room(sequence, kind, served);
    request.has_logprobs = asked.logprobs.has_value();
    for (std::size_t i = 0; i < request.n_each; ++i) {
      request.openings.push_back(opening);
      request.jobs.push_back({.sequence = sequence,
                              .n_logprobs = asked.logprobs,
                              .tells_prompt = has_echo && request.has_logprobs});
      ++sequence.sampler.seed;
    }
  };
  std::vector<Json> prompts = kind == ApiKind::completion
                                  ? take_prompts(object, served.most_choices / request.n_each)
                                  : std::vector<Json>{};
  if (prompts.empty()) add_jobs();
  for (Json& prompt : prompts) {
    object["prompt"] = std::move(prompt);
    add_jobs();
  }
  return request;
}

}  // namespace bitnet::http
