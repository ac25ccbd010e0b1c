// The bodies that answer /v1/completions and /v1/chat/completions, whole or as events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "bitnet/model.h"
#include "service/http/api/api_request.h"
#include "service/http/api/text_offset.h"
#include "service/http/engine/answer.h"

namespace bitnet::http {

// What all bodies of one answer have in common.
struct AnswerHead {
  ApiKind kind = ApiKind::completion;
  std::string id;
  std::string model;
  std::int64_t created = 0;  // Unix time
  bool include_usage = false;
};

struct Usage {
  std::size_t n_prompt = 0;
  std::size_t n_cached = 0;
  std::size_t n_generated = 0;

  // Of the prompt's first choice: the others have the same one.
  void add(const GenerateResult& result, bool is_first_of_prompt);
};

// One choice, as its parts come.
class ChoiceJson {
 public:
  // The index'th of the request.
  ChoiceJson(const AnswerHead& head, const Tokenizer& tokenizer, const ApiRequest& request,
             std::size_t index);

  // What the part adds, as an event's choice; null if it adds nothing.
  nlohmann::ordered_json event(const AnswerPart& part);
  // The event that goes before all others, if there is one.
  nlohmann::ordered_json first_event() const;
  void add(AnswerPart part);  // to whole()
  nlohmann::ordered_json whole() const;

 private:
  bool is_listed(const AnswerToken& token) const;
  // As an event or the whole answer has it; null where nobody asked.
  nlohmann::ordered_json logprobs_json(std::span<const AnswerToken> tokens, TextOffset& offset) const;
  nlohmann::ordered_json chat_logprobs_json(std::span<const AnswerToken> tokens) const;

  const AnswerHead& head_;
  const Tokenizer& tokenizer_;
  std::size_t index_;
  bool has_logprobs_;
  bool shows_special_;
  std::vector<TokenId> stop_tokens_;
  std::string opening_;
  std::string text_;
  std::vector<AnswerToken>
      tokens_;  // those that logprobs were asked of, which as JSON are many times as large
  nlohmann::ordered_json finish_reason_;  // null before the end
  // Of the next event's token, or the answer's first. Less than 0: a prompt was given a space that it begins
  // with.
  TextOffset offset_;
};

std::string whole_json(const AnswerHead& head, std::span<const ChoiceJson> choices, const Usage& usage);

// "data: ...\n\n"
std::string event_of(const AnswerHead& head, nlohmann::ordered_json choice);
std::string usage_event(const AnswerHead& head, const Usage& usage);
std::string error_event(const std::string& error_json);
inline constexpr const char* kDoneEvent = "data: [DONE]\n\n";

}  // namespace bitnet::http
