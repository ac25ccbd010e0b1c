// The server: routes, what every answer has in common, beginning and end.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bitnet/model.h"
#include "bitnet/scheduler.h"
#include "service/http/api/api_request.h"
#include "service/http/engine/engine_loop.h"
#include "service/http/engine/metrics.h"
#include "service/http/server/completions.h"
#include "service/http/server/guard.h"
#include "service/http/transport/transport.h"

namespace bitnet::http {

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                     // 0: one that is free
  std::string api_key{};               // empty: none is wanted
  std::vector<std::string> origins{};  // whose pages may use it from a browser, beside its own; "*": all
  std::string model_name{};            // as requests call it; empty: by the model's file
  std::string chat_template = "auto";
  std::optional<bool> think{};
  std::size_t queue = 64;  // sequences that may wait, beside those that run
  std::size_t body_bytes = std::size_t{4} << 20;
  std::optional<std::size_t> max_tokens{};          // of an answer
  std::size_t unread_bytes = std::size_t{4} << 20;  // of a stream, beyond what the system holds
  std::chrono::milliseconds time{0};                // from a request to the end of its answer; 0: no limit
  ListenerOptions listener{};  // times and sizes; the rest of it is set by what stands above
  // Told of each request that was answered, on any thread; may be empty.
  std::function<void(std::string_view method, std::string_view path, int status)> on_request{};
};

class Server {
 public:
  // Model and scheduler must outlive it; the scheduler is its own until then. Throws UsageError if the model
  // has no chat template of that name.
  Server(const Model& model, Scheduler& scheduler, ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  // answers that are not whole fail

  // Listens. Throws RuntimeError.
  void start();
  std::string url() const;  // "http://127.0.0.1:8080"
  int port() const { return listener_->port(); }
  const std::string& model_name() const { return served_.name; }

  // No more requests from here on, which is told to whoever comes; returns when those that there are have
  // been answered, and nothing listens any more.
  void drain();
  // Why it cannot go on; empty while it can.
  std::string failure() const;

 private:
  void handle(Exchange& exchange);
  HttpResponse health() const;
  HttpResponse metrics() const;
  HttpResponse models(std::string_view path) const;
  std::shared_ptr<void> count_open();

  ServerOptions options_;
  ServedModel served_;
  Guard guard_;
  Metrics metrics_;
  std::int64_t started_;  // Unix time
  std::unique_ptr<Listener> listener_;
  EngineLoop loop_;
  Completions completions_;

  std::atomic<bool> is_draining_ = false;
  std::atomic<bool> has_socket_failed_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t n_open_ = 0;  // requests that are being answered

  std::thread thread_;  // that accepts connections
};

}  // namespace bitnet::http
