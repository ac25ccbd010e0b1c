// Answers to /v1/completions and /v1/chat/completions: from the request's body to the last event.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "service/http/api/api_request.h"
#include "service/http/engine/engine_loop.h"
#include "service/http/transport/transport.h"

namespace bitnet::http {

struct CompletionLimits {
  std::size_t body_bytes = 0;
  std::size_t unread_bytes = 0;  // of a stream, that its client leaves unread beyond what the system holds
  std::chrono::milliseconds time{0};  // from the request to the end of its answer; 0: none
};

// Told once, when the answer has ended: 200 whatever became of a stream that had begun.
using OnEnd = std::function<void(int status)>;

class Completions {
 public:
  // All must outlive it.
  Completions(const ServedModel& served, EngineLoop& loop, CompletionLimits limits)
      : served_(served), loop_(loop), limits_(limits) {}

  // Throws ApiError, UsageError, QueueFull and what the engine failed with; otherwise it has answered, or has
  // begun to. `headers` stand beside the answer's own. `keep` is held until the answer has ended.
  void answer(ApiKind kind, Exchange& exchange, std::vector<std::pair<std::string, std::string>> headers,
              std::shared_ptr<void> keep);

 private:
  const ServedModel& served_;
  EngineLoop& loop_;
  CompletionLimits limits_;
};

// The client left before its answer: there is nobody to tell.
class ClientGone : public RuntimeError {
 public:
  ClientGone() : RuntimeError("the client has gone") {}
};

// Throws ApiError for a body that did not come whole.
std::string read_json_body(Exchange& exchange, std::size_t most_bytes);

}  // namespace bitnet::http
