#include "service/http/api/api_answer.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "tokenizer/utf8.h"

namespace bitnet::http {
namespace {

using OrderedJson = nlohmann::ordered_json;

// A piece may be a part of a character.
std::string dump(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

OrderedJson bytes_json(std::string_view piece) {
  OrderedJson bytes = OrderedJson::array();
  for (const char c : piece) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

// As OpenAI's completions have what is no text of its own: "bytes:\xe2\x80".
std::string token_name(std::string_view piece) {
  if (is_utf8(piece)) return std::string(piece);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name = "bytes:";
  for (const char c : piece) {
    const auto byte = static_cast<unsigned char>(c);
    name += "\\x";
    name += kDigits[byte >> 4];
    name += kDigits[byte & 15];
  }
  return name;
}

std::string_view finish_reason_of(StopReason reason) {
  return reason == StopReason::max_tokens || reason == StopReason::context_full ? "length" : "stop";
}

OrderedJson head_json(const AnswerHead& head, bool is_event) {
  const char* const object = head.kind == ApiKind::completion ? "text_completion"
                             : is_event                       ? "chat.completion.chunk"
                                                              : "chat.completion";
  return {{"id", head.id}, {"object", object}, {"created", head.created}, {"model", head.model}};
}

OrderedJson usage_json(const Usage& usage) {
  return {{"prompt_tokens", usage.n_prompt},
          {"completion_tokens", usage.n_generated},
          {"total_tokens", usage.n_prompt + usage.n_generated},
          {"prompt_tokens_details", {{"cached_tokens", usage.n_cached}}}};
}

std::string event_text(const OrderedJson& json) { return "data: " + dump(json) + "\n\n"; }

}  // namespace

void Usage::add(const GenerateResult& result, bool is_first_of_prompt) {
  n_generated += result.tokens.size();
  if (!is_first_of_prompt) return;
  n_prompt += result.n_prompt;
  n_cached += result.n_cached;
}

ChoiceJson::ChoiceJson(const AnswerHead& head, const Tokenizer& tokenizer, const ApiRequest& request,
                       std::size_t index)
    : head_(head),
      tokenizer_(tokenizer),
      index_(index),
      has_logprobs_(request.has_logprobs),
      shows_special_(request.jobs[index].sequence.show_special),
      stop_tokens_(request.jobs[index].sequence.stop_tokens),
      opening_(request.openings[index]),
      text_(opening_),
      offset_(tokenizer, shows_special_) {
  if (!request.jobs[index].tells_prompt) return;
  TextOffset prompt(tokenizer, shows_special_);
  for (const TokenId id : request.jobs[index].sequence.prompt) prompt.pass(id);
  offset_.move_by(n_characters(opening_) - prompt.value());
}

// What ends the text is no part of it.
bool ChoiceJson::is_listed(const AnswerToken& token) const {
  return has_logprobs_ && (token.is_of_prompt || std::ranges::count(stop_tokens_, token.id) == 0);
}

OrderedJson ChoiceJson::logprobs_json(std::span<const AnswerToken> tokens, TextOffset& offset) const {
  if (!has_logprobs_) return nullptr;
  if (head_.kind == ApiKind::chat) return chat_logprobs_json(tokens);
  const auto name_of = [this](TokenId id) {
    return token_name(tokenizer_.bytes_of(id, /*with_special=*/true));
  };
  OrderedJson offsets = OrderedJson::array();
  OrderedJson logprobs = OrderedJson::array();
  OrderedJson names = OrderedJson::array();
  OrderedJson tops = OrderedJson::array();
  for (const AnswerToken& token : tokens) {
    offsets.push_back(std::max<std::int64_t>(offset.value(), 0));
    offset.pass(token.id);
    logprobs.push_back(token.logprob ? OrderedJson(*token.logprob) : OrderedJson());
    names.push_back(name_of(token.id));
    OrderedJson& top = tops.emplace_back(token.top.empty() ? OrderedJson() : OrderedJson::object());
    // Of several that read alike the first is the likeliest.
    for (const TokenLogprob& t : token.top) top.emplace(name_of(t.id), t.logprob);
    // The token itself stands there even if it is none of the likeliest.
    if (!token.top.empty() && token.logprob) top.emplace(name_of(token.id), *token.logprob);
  }
  return {{"text_offset", std::move(offsets)},
          {"token_logprobs", std::move(logprobs)},
          {"tokens", std::move(names)},
          {"top_logprobs", std::move(tops)}};
}

OrderedJson ChoiceJson::chat_logprobs_json(std::span<const AnswerToken> tokens) const {
  const auto entry = [this](TokenId id, double logprob) {
    const std::string_view piece = tokenizer_.bytes_of(id, /*with_special=*/true);
    return OrderedJson{{"token", std::string(piece)}, {"logprob", logprob}, {"bytes", bytes_json(piece)}};
  };
  OrderedJson content = OrderedJson::array();
  for (const AnswerToken& token : tokens) {
    OrderedJson& one = content.emplace_back(entry(token.id, *token.logprob));
    one["top_logprobs"] = OrderedJson::array();
    for (const TokenLogprob& t : token.top) one["top_logprobs"].push_back(entry(t.id, t.logprob));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

OrderedJson ChoiceJson::first_event() const {
  const bool is_chat = head_.kind == ApiKind::chat;
  if (!is_chat && opening_.empty()) return nullptr;
  OrderedJson choice{{"index", index_}};
  if (is_chat) {
    choice["delta"] = {{"role", "assistant"}, {"content", opening_}};
  } else {
    choice["text"] = opening_;
  }
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = nullptr;
  return choice;
}

OrderedJson ChoiceJson::event(const AnswerPart& part) {
  const bool has_token = part.token && is_listed(*part.token);
  if (part.text.empty() && !has_token && !part.end) return nullptr;
  OrderedJson choice{{"index", index_}};
  if (head_.kind == ApiKind::completion) {
    choice["text"] = part.text;
  } else {
    choice["delta"] =
        part.text.empty() && part.end ? OrderedJson::object() : OrderedJson{{"content", part.text}};
  }
  choice["logprobs"] = nullptr;
  if (has_token) choice["logprobs"] = logprobs_json(std::span(&*part.token, 1), offset_);
  choice["finish_reason"] = part.end ? OrderedJson(finish_reason_of(part.end->result.reason)) : OrderedJson();
  return choice;
}

void ChoiceJson::add(AnswerPart part) {
  text_ += part.text;
  if (part.token && is_listed(*part.token)) tokens_.push_back(std::move(*part.token));
  if (part.end) finish_reason_ = finish_reason_of(part.end->result.reason);
}

OrderedJson ChoiceJson::whole() const {
  OrderedJson choice{{"index", index_}};
  if (head_.kind == ApiKind::completion) {
    choice["text"] = text_;
  } else {
    choice["message"] = {{"role", "assistant"}, {"content", text_}, {"refusal", nullptr}};
  }
  TextOffset offset = offset_;
  choice["logprobs"] = logprobs_json(tokens_, offset);
  choice["finish_reason"] = finish_reason_;
  return choice;
}

std::string whole_json(const AnswerHead& head, std::span<const ChoiceJson> choices, const Usage& usage) {
  std::string text = dump(head_json(head, /*is_event=*/false));
  text.back() = ',';
  text += "\"choices\":[";
  // One after the other: their text is small beside what it is made from.
  for (const ChoiceJson& choice : choices) (text += dump(choice.whole())) += ',';
  text.back() = ']';
  return text + ",\"usage\":" + dump(usage_json(usage)) + "}\n";
}

std::string event_of(const AnswerHead& head, OrderedJson choice) {
  OrderedJson json = head_json(head, /*is_event=*/true);
  json["choices"] = OrderedJson::array({std::move(choice)});
  if (head.include_usage) json["usage"] = nullptr;
  return event_text(json);
}

std::string usage_event(const AnswerHead& head, const Usage& usage) {
  OrderedJson json = head_json(head, /*is_event=*/true);
  json["choices"] = OrderedJson::array();
  json["usage"] = usage_json(usage);
  return event_text(json);
}

std::string error_event(const std::string& error_json) { return "data: " + error_json + "\n\n"; }

}  // namespace bitnet::http
