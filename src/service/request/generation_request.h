// What a client wants generated, as a JSON object says it.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/error.h"
#include "bitnet/model.h"
#include "bitnet/sampler.h"
#include "bitnet/scheduler.h"
#include "bitnet/types.h"
#include "service/request/chat_form.h"

namespace bitnet::service {

using Json = nlohmann::json;

struct GenerationRequest {
  // A text, tokens as they are, or a conversation to be answered.
  std::variant<std::string, std::vector<TokenId>, std::vector<Message>> prompt{};
  std::string system{};  // before a text under a template, and before messages without one; empty: none
  // "auto" or a name. A conversation takes raw, which has no turns, for auto.
  std::string chat_template = "raw";
  std::optional<bool> think{};
  bool special = false;  // control tokens: parsed in the prompt, shown in the text
  SamplerOptions sampler{};
  std::optional<std::size_t> max_tokens{};  // none: until the text ends
  std::vector<std::string> stop{};
  bool ignore_eos = false;
  std::optional<std::size_t> logprobs{};  // wanted, with so many alternatives
};

enum class RequestField {
  prompt,         // a text
  prompt_or_ids,  // a text, or an array of token ids
  ids,            // an array of token ids
  messages,       // [{role, content}], the last of them not the assistant's
  system,         // a text
  chat_template,  // a name
  think,          // true or false, "on" or "off"
  special,        // true or false
  max_tokens,     // a count; -1: no limit
  stop,           // a text, or an array of texts
  ignore_eos,     // true or false
  temperature,    // and those that follow: as in SamplerOptions
  top_k,
  top_p,
  min_p,
  repeat_penalty,
  repeat_window,
  seed,
  logprobs,        // a count of alternatives
  wants_logprobs,  // true or false
  n_logprobs,      // the count beside wants_logprobs
};

struct FieldName {
  std::string_view name;
  RequestField field;
};

inline constexpr std::size_t kMostLogprobs = 100;  // alternatives of a token
inline constexpr std::size_t kMostStops = 64;

// How requests look in one place.
struct RequestForm {
  // Several names may stand for one field: a request has one of them, or the same in all. A field that is
  // null isn't there.
  std::vector<FieldName> fields{};
  std::vector<std::string_view> others{};  // fields that are the caller's affair
  std::size_t most_logprobs = kMostLogprobs;
  GenerationRequest defaults{};       // of what a request doesn't say; their prompt means nothing
  bool is_temperature_given = false;  // the defaults' is what somebody asked for
  // Sampling options that can have no effect are refused: whoever gave them expects one.
  bool refuses_idle = false;
};

// A field of a request that cannot be had. The message names it.
class FieldError : public UsageError {
 public:
  FieldError(std::string field, const std::string& message) : UsageError(message), field_(std::move(field)) {}
  const std::string& field() const { return field_; }  // empty: it isn't about one

 private:
  std::string field_;
};

// The object in `text`, or FieldError that says why there is none: no JSON, no UTF-8, nested deeper than 16
// levels, more than a million values, a key twice in one object.
Json parse_request(std::string_view text);

// Throws FieldError.
GenerationRequest read_request(const Json& object, const RequestForm& form);

// Throws UsageError, some of it OptionError of "template", "think", "system" and "special".
ChatForm form_of(const GenerationRequest& request, const Model& model);

// What `bitnet run` would run for it, in the form that form_of() gave; sinks are left to the caller. Throws
// UsageError, some of it OptionError.
SequenceRequest to_sequence(const GenerationRequest& request, ChatForm form, const Model& model);

}  // namespace bitnet::service
