// The bodies of /v1/completions and /v1/chat/completions, read.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/model.h"
#include "service/http/engine/engine_loop.h"

namespace bitnet::http {

// What is served, and how much of it one request may have.
struct ServedModel {
  const Model* model = nullptr;
  std::string name;                         // as requests and answers call it
  std::size_t ctx_size = 0;                 // most tokens in a sequence
  std::optional<std::size_t> max_tokens{};  // most tokens of an answer
  std::size_t most_choices = 1;             // of one request
  std::string chat_template = "auto";
  std::optional<bool> think{};
};

enum class ApiKind { completion, chat };

struct ApiRequest {
  ApiKind kind = ApiKind::completion;
  std::string id;  // the same for the same request to the same model
  bool stream = false;
  bool include_usage = false;  // at the end of the stream
  bool has_logprobs = false;
  std::size_t n_each = 1;  // choices for a prompt
  // One for each choice, those of a prompt together: what the text begins with before the first token is
  // there (the prompt, where it is echoed; "<think>" and a line break, where the template put them there),
  // and what it comes from.
  std::vector<std::string> openings{};
  std::vector<EngineJob> jobs{};
};

// Throws ApiError and UsageError.
ApiRequest read_api_request(ApiKind kind, std::string_view body, const ServedModel& served);

}  // namespace bitnet::http
