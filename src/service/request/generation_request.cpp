#include "service/request/generation_request.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/joined.h"
#include "base/nearest_name.h"
#include "base/printable.h"
#include "diagnostics/json_guard.h"
#include "service/request/field_reader.h"
#include "tokenizer/utf8.h"

namespace bitnet::service {
namespace {

constexpr JsonLimits kRequestLimits{
    .bytes = static_cast<std::size_t>(-1), .values = std::size_t{1} << 20, .depth = 16};

constexpr std::array kPromptFields{RequestField::prompt, RequestField::prompt_or_ids, RequestField::ids,
                                   RequestField::messages};

// What a request says, by what it is about.
class GivenFields {
 public:
  GivenFields(const Json& object, const RequestForm& form) : form_(form) {
    for (const auto& [key, value] : object.items()) {
      if (value.is_null() || std::ranges::count(form.others, key) != 0) continue;
      const auto known = std::ranges::find(form.fields, key, &FieldName::name);
      if (known == form.fields.end()) refuse_unknown(key);
      const auto [at, is_first] = given_.try_emplace(known->field, key, &value);
      if (!is_first && *at->second.second != value) {
        throw FieldError(key,
                         key + " stands beside " + at->second.first + ", which means the same; give one");
      }
    }
  }

  bool has(RequestField field) const { return given_.contains(field); }
  const std::string& name(RequestField field) const { return given_.at(field).first; }
  // What the field would be called.
  std::string name_for(RequestField field) const {
    const auto known = std::ranges::find(form_.fields, field, &FieldName::field);
    return known == form_.fields.end() ? "" : std::string(known->name);
  }
  FieldReader operator[](RequestField field) const {
    const auto& [name, value] = given_.at(field);
    return {name, *value};
  }

 private:
  [[noreturn]] void refuse_unknown(const std::string& key) const {
    std::vector<std::string> names;
    for (const FieldName& known : form_.fields) names.emplace_back(known.name);
    names.insert(names.end(), form_.others.begin(), form_.others.end());
    const std::string_view meant = nearest_name(key, names);
    const std::string shown = printable(key, kMaxPrintedName);
    throw FieldError(shown, "there is no field '" + shown + "'; " +
                                (meant.empty() ? "choose from " + joined(names)
                                               : "did you mean '" + std::string(meant) + "'?"));
  }

  const RequestForm& form_;
  std::map<RequestField, std::pair<std::string, const Json*>> given_;
};

void read_prompt(const GivenFields& given, GenerationRequest& request) {
  std::vector<RequestField> prompts;
  std::vector<std::string> names;
  for (const RequestField field : kPromptFields) {
    if (given.has(field)) prompts.push_back(field);
    if (const std::string name = given.name_for(field); !name.empty()) names.push_back(name);
  }
  if (prompts.empty()) {
    throw FieldError(names.size() == 1 ? names.front() : "",
                     joined(names) + " is missing: " + (names.size() == 1 ? "give it" : "give one of them"));
  }
  if (prompts.size() > 1) {
    throw FieldError(given.name(prompts[1]), given.name(prompts[1]) + " stands beside " +
                                                 given.name(prompts[0]) + "; give one of them");
  }
  const RequestField field = prompts.front();
  const FieldReader value = given[field];
  if (field == RequestField::messages) {
    request.prompt = value.messages();
  } else if (field == RequestField::ids || (field == RequestField::prompt_or_ids && value.is_array())) {
    request.prompt = value.ids();
  } else {
    request.prompt = value.text();
  }
}

// The template and what goes with it. Of defaults only what can hold for this kind of prompt is taken over.
void read_form(const GivenFields& given, GenerationRequest& request) {
  if (given.has(RequestField::chat_template)) {
    const FieldReader value = given[RequestField::chat_template];
    request.chat_template = value.text();
    if (request.chat_template != kAutoTemplate && !find_chat_template(request.chat_template)) {
      value.refuse("choose from auto, " + chat_template_names());
    }
    const bool is_raw = find_chat_template(request.chat_template) == ChatTemplate::raw;
    if (is_raw && std::holds_alternative<std::vector<Message>>(request.prompt)) {
      value.refuse("messages need another template, or none named");
    }
    if (is_raw) request.system.clear();
    if (is_raw) request.think.reset();
  }
  if (given.has(RequestField::system)) {
    request.system = given[RequestField::system].text();
    const auto* messages = std::get_if<std::vector<Message>>(&request.prompt);
    const bool has_one = messages != nullptr && !messages->empty() && messages->front().role == Role::system;
    if (has_one && !request.system.empty()) {
      given[RequestField::system].refuse("the messages begin with a system message already: leave one out");
    }
  }
  if (given.has(RequestField::think)) request.think = given[RequestField::think].on_or_off();
  if (given.has(RequestField::special)) request.special = given[RequestField::special].yes_or_no();
  if (!std::holds_alternative<std::vector<TokenId>>(request.prompt)) return;
  for (const RequestField field : {RequestField::chat_template, RequestField::system, RequestField::think}) {
    if (!given.has(field)) continue;
    throw FieldError(given.name(field), given.name(field) + " has no effect on token ids: leave it out");
  }
  request.chat_template = name_of(ChatTemplate::raw);
  request.system.clear();
  request.think.reset();
}

void read_ending(const GivenFields& given, GenerationRequest& request) {
  if (given.has(RequestField::max_tokens)) {
    const auto n = given[RequestField::max_tokens].whole<std::int64_t>(-1);
    request.max_tokens = n < 0 ? std::nullopt : std::optional(static_cast<std::size_t>(n));
  }
  if (given.has(RequestField::stop)) {
    request.stop = given[RequestField::stop].texts();
    if (request.stop.size() > kMostStops) {
      given[RequestField::stop].refuse("give at most " + std::to_string(kMostStops) + " texts");
    }
  }
  if (given.has(RequestField::ignore_eos)) request.ignore_eos = given[RequestField::ignore_eos].yes_or_no();
}

void read_logprobs(const GivenFields& given, const RequestForm& form, GenerationRequest& request) {
  const auto count = [&](RequestField field) {
    return given[field].whole<std::size_t>(0, form.most_logprobs);
  };
  if (given.has(RequestField::logprobs)) request.logprobs = count(RequestField::logprobs);
  if (given.has(RequestField::wants_logprobs)) {
    request.logprobs.reset();
    if (given[RequestField::wants_logprobs].yes_or_no()) request.logprobs = 0;
  }
  if (!given.has(RequestField::n_logprobs)) return;
  const std::size_t n = count(RequestField::n_logprobs);
  if (request.logprobs) {
    request.logprobs = n;
  } else if (n > 0) {
    const std::string& name = given.name(RequestField::n_logprobs);
    throw FieldError(name, name + " needs " + given.name_for(RequestField::wants_logprobs) + ": true");
  }
}

struct SamplerName {
  std::string_view name;  // in OptionError
  RequestField field;
};

constexpr std::array<SamplerName, 7> kSamplerNames{{{"temperature", RequestField::temperature},
                                                    {"top_k", RequestField::top_k},
                                                    {"top_p", RequestField::top_p},
                                                    {"min_p", RequestField::min_p},
                                                    {"repeat_penalty", RequestField::repeat_penalty},
                                                    {"repeat_window", RequestField::repeat_window},
                                                    {"seed", RequestField::seed}}};

void check_range(const GivenFields& given, const SamplerOptions& sampler) {
  try {
    const Sampler probe(sampler, 1);
  } catch (const OptionError& e) {
    const auto* const known = std::ranges::find(kSamplerNames, e.option(), &SamplerName::name);
    const bool is_given = known != kSamplerNames.end() && given.has(known->field);
    const std::string name = is_given ? given.name(known->field) : std::string(e.option());
    throw FieldError(name, e.message_with(name));
  }
}

// As SamplingOptions::check() has it on the command line.
void check_effects(const GivenFields& given, const RequestForm& form, const SamplerOptions& sampler) {
  const auto refuse = [&](RequestField field, const std::string& why) {
    throw FieldError(given.name(field), given.name(field) + " has no effect " + why);
  };
  if (given.has(RequestField::repeat_window) && sampler.repeat_penalty == 1) {
    refuse(RequestField::repeat_window,
           "without " + given.name_for(RequestField::repeat_penalty) + ": give both, or neither");
  }
  if (sampler.temperature != 0 || form.is_temperature_given || given.has(RequestField::temperature)) return;
  for (const RequestField field :
       {RequestField::top_k, RequestField::top_p, RequestField::min_p, RequestField::seed}) {
    if (!given.has(field)) continue;
    refuse(field, "in greedy mode, which is the default: give " + given.name_for(RequestField::temperature) +
                      " too");
  }
}

void read_sampler(const GivenFields& given, const RequestForm& form, SamplerOptions& sampler) {
  const auto number = [&](RequestField field, float& value) {
    if (given.has(field)) value = given[field].number();
  };
  const auto whole = [&]<typename Whole>(RequestField field, Whole& value) {
    if (given.has(field)) value = given[field].whole<Whole>();
  };
  number(RequestField::temperature, sampler.temperature);
  whole(RequestField::top_k, sampler.top_k);
  number(RequestField::top_p, sampler.top_p);
  number(RequestField::min_p, sampler.min_p);
  number(RequestField::repeat_penalty, sampler.repeat_penalty);
  whole(RequestField::repeat_window, sampler.repeat_window);
  whole(RequestField::seed, sampler.seed);
  check_range(given, sampler);
  if (form.refuses_idle) check_effects(given, form, sampler);
}

std::vector<TokenId> encode(const GenerationRequest& request, ChatForm form, const Model& model) {
  if (const auto* const ids = std::get_if<std::vector<TokenId>>(&request.prompt)) return *ids;
  if (const auto* const text = std::get_if<std::string>(&request.prompt)) {
    return encode_prompt(form, model, *text, request.system, request.special);
  }
  return encode_messages(form, model, std::get<std::vector<Message>>(request.prompt), request.system,
                         request.special);
}

}  // namespace

Json parse_request(std::string_view text) {
  if (const std::size_t sound = well_formed_prefix(text); sound != text.size()) {
    throw FieldError("", "is no valid UTF-8: byte " + std::to_string(sound + 1) + " is wrong");
  }
  try {
    return parse_json_object(text, kRequestLimits);
  } catch (const JsonFault& fault) {
    throw FieldError("", fault.what());
  }
}

GenerationRequest read_request(const Json& object, const RequestForm& form) {
  GenerationRequest request = form.defaults;
  const GivenFields given(object, form);
  read_prompt(given, request);
  read_form(given, request);
  read_ending(given, request);
  read_logprobs(given, form, request);
  read_sampler(given, form, request.sampler);
  return request;
}

ChatForm form_of(const GenerationRequest& request, const Model& model) {
  if (std::holds_alternative<std::vector<TokenId>>(request.prompt)) return ChatTemplate::raw;
  const bool has_turns = std::holds_alternative<std::vector<Message>>(request.prompt);
  const bool is_raw = find_chat_template(request.chat_template) == ChatTemplate::raw;
  return find_form(has_turns && is_raw ? kAutoTemplate : request.chat_template, request.think, model);
}

SequenceRequest to_sequence(const GenerationRequest& request, ChatForm form, const Model& model) {
  Stops stops = find_stops(request.stop, request.ignore_eos, form.chat_template, model.tokenizer());
  SequenceRequest sequence;
  sequence.prompt = encode(request, form, model);
  sequence.sampler = request.sampler;
  if (request.max_tokens) sequence.max_tokens = *request.max_tokens;
  sequence.stop_tokens = std::move(stops.tokens);
  sequence.stop_strings = std::move(stops.strings);
  sequence.show_special = request.special;
  sequence.all_logits = request.logprobs.has_value();
  return sequence;
}

}  // namespace bitnet::service
