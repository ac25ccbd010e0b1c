#include "service/http/server/server.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/no_signals.h"
#include "base/printable.h"
#include "service/http/api/api_error.h"
#include "service/http/server/page.h"
#include "service/request/chat_form.h"

namespace bitnet::http {
namespace {

constexpr std::size_t kMostChoices = 128;      // of one request
constexpr std::size_t kOtherConnections = 64;  // beside those that wait for an answer: idle ones, /metrics
constexpr std::string_view kModels = "/v1/models";
constexpr const char* kJsonType = "application/json";

using Headers = std::vector<std::pair<std::string, std::string>>;

enum class Target { page, health, metrics, models, completion, chat };

struct Route {
  std::string_view path;
  Target target;
  bool is_post;
  bool needs_key;
};

constexpr std::array<Route, 6> kRoutes{{{"/", Target::page, false, false},
                                        {"/health", Target::health, false, false},
                                        {"/metrics", Target::metrics, false, true},
                                        {kModels, Target::models, false, true},
                                        {"/v1/completions", Target::completion, true, true},
                                        {"/v1/chat/completions", Target::chat, true, true}}};

const Route* find_route(std::string_view path) {
  if (path.starts_with("/v1/models/")) path = kModels;
  const auto* const at = std::ranges::find(kRoutes, path, &Route::path);
  return at == kRoutes.end() ? nullptr : at;
}

std::string name_of_model(const ModelInfo& info, const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  const std::string stem = std::filesystem::path(info.file).stem().string();
  std::string name = printable(stem, kMaxPrintedName);
  std::ranges::replace(name, ' ', '-');
  return name;
}

ServedModel served_of(const Model& model, const Scheduler& scheduler, const ServerOptions& options) {
  return {.model = &model,
          .name = name_of_model(model.info(), options.model_name),
          .ctx_size = scheduler.ctx_size(),
          .max_tokens = options.max_tokens,
          .most_choices = std::min(kMostChoices, scheduler.n_sequences() + options.queue),
          .chat_template = options.chat_template,
          .think = options.think};
}

ListenerOptions listener_options(const Scheduler& scheduler, const ServerOptions& options) {
  ListenerOptions listener = options.listener;
  listener.host = options.host;
  listener.port = options.port;
  listener.most_connections = scheduler.n_sequences() + options.queue + kOtherConnections;
  listener.most_body_bytes = options.body_bytes;
  return listener;
}

HttpResponse page() {
  return {.content_type = "text/html; charset=utf-8",
          .body = std::string(chat_page()),
          .headers = {{"Content-Security-Policy", "frame-ancestors 'none'"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Cache-Control", "no-cache"}}};
}

ApiFault stopping() {
  return {.status = 503,
          .message = "the server is stopping",
          .type = "server_error",
          .code = "stopping",
          .retry_after = std::chrono::seconds(5)};
}

}  // namespace

Server::Server(const Model& model, Scheduler& scheduler, ServerOptions options)
    : options_(std::move(options)),
      served_(served_of(model, scheduler, options_)),
      guard_({.api_key = options_.api_key, .origins = options_.origins, .host = options_.host}),
      started_(static_cast<std::int64_t>(std::time(nullptr))),
      listener_(make_listener(listener_options(scheduler, options_),
                              {.handle = [this](Exchange& exchange) { handle(exchange); },
                               .refuse =
                                   [this](int status) {
                                     metrics_.count_request("none", status);
                                     return response_of(fault_of(status));
                                   }})),
      loop_(model, scheduler, options_.queue, metrics_, [] {}),
      completions_(
          served_, loop_,
          {.body_bytes = options_.body_bytes, .unread_bytes = options_.unread_bytes, .time = options_.time}) {
}

Server::~Server() {
  is_draining_ = true;
  loop_.stop();
  listener_->stop();
  if (thread_.joinable()) thread_.join();
}

void Server::start() {
  if (const std::string why = listener_->bind(); !why.empty()) {
    throw RuntimeError("cannot listen on " + printable(options_.host, kMaxPrintedName) + ", port " +
                       std::to_string(options_.port) + ": " + why);
  }
  const NoSignals none;
  thread_ = std::thread([this] {
    if (!listener_->run()) has_socket_failed_ = true;
  });
}

std::string Server::url() const {
  const bool is_v6 = options_.host.find(':') != std::string::npos;
  return "http://" + (is_v6 ? "[" + options_.host + "]" : options_.host) + ":" + std::to_string(port());
}

void Server::drain() {
  is_draining_ = true;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return n_open_ == 0; });
  }
  listener_->stop();
  if (thread_.joinable()) thread_.join();
}

std::string Server::failure() const {
  if (const std::exception_ptr failure = loop_.failure()) return fault_of(failure).message;
  return has_socket_failed_ ? "connections can no longer be accepted" : "";
}

HttpResponse Server::health() const {
  const std::string failure = this->failure();
  const char* const status = !failure.empty() ? "failed" : is_draining_ ? "stopping" : "ok";
  const bool is_well = failure.empty() && !is_draining_;
  return {.status = is_well ? 200 : 503,
          .content_type = kJsonType,
          .body = nlohmann::ordered_json{{"status", status}}.dump() + "\n"};
}

HttpResponse Server::metrics() const {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
          .body = metrics_.text(loop_.state(), listener_->n_connections())};
}

// All, or the one that the path names.
HttpResponse Server::models(std::string_view path) const {
  const nlohmann::ordered_json model{{"id", served_.name},
                                     {"object", "model"},
                                     {"created", started_},
                                     {"owned_by", "bitnet"},
                                     {"context_length", served_.ctx_size}};
  if (path == kModels) {
    return {.content_type = kJsonType,
            .body = nlohmann::ordered_json{{"object", "list"}, {"data", {model}}}.dump() + "\n"};
  }
  if (path.substr(kModels.size() + 1) != served_.name) {
    throw ApiError(
        {.status = 404,
         .message = "there is no such model here; the one that is served is called '" + served_.name + "'",
         .param = "model",
         .code = "model_not_found"});
  }
  return {.content_type = kJsonType, .body = model.dump() + "\n"};
}

// As long as what it returns lives a request counts as open.
std::shared_ptr<void> Server::count_open() {
  {
    const std::lock_guard lock(mutex_);
    ++n_open_;
  }
  return {nullptr, [this](void*) {
            {
              const std::lock_guard lock(mutex_);
              --n_open_;
              changed_.notify_all();
            }
          }};
}

void Server::handle(Exchange& exchange) {
  const std::shared_ptr<void> open = count_open();
  const Route* const route = find_route(exchange.path());
  const bool is_options = exchange.method() == "OPTIONS";
  int status = 200;
  Headers headers;
  try {
    headers = guard_.cors_headers(exchange);
    if (route == nullptr) throw ApiError(fault_of(404));
    guard_.check(exchange, route->needs_key && !is_options);
    const std::string_view allowed = route->is_post ? "POST" : "GET";
    if (is_options) {
      headers.emplace_back("Allow", std::string(allowed) + ", OPTIONS");
      status = 204;
      exchange.respond({.status = status, .content_type = "", .headers = headers});
    } else if (exchange.method() != allowed && !(exchange.method() == "HEAD" && !route->is_post)) {
      headers.emplace_back("Allow", std::string(allowed) + ", OPTIONS");
      throw ApiError({.status = 405,
                      .message = std::string(route->path) + " wants " + std::string(allowed),
                      .code = "method_not_allowed"});
    } else if (is_draining_ && route->target != Target::metrics && route->target != Target::health) {
      throw ApiError(stopping());
    } else if (route->is_post) {
      completions_.answer(route->target == Target::chat ? ApiKind::chat : ApiKind::completion, exchange,
                          headers, open);
    } else {
      HttpResponse response = route->target == Target::page      ? page()
                              : route->target == Target::health  ? health()
                              : route->target == Target::metrics ? metrics()
                                                                 : models(exchange.path());
      status = response.status;
      response.headers.insert(response.headers.end(), headers.begin(), headers.end());
      exchange.respond(std::move(response));
    }
  } catch (const ClientGone&) {
    status = 499;  // as nginx counts it
    exchange.drop();
  } catch (...) {
    const ApiFault fault = fault_of(std::current_exception());
    status = fault.status;
    if (status == 429) metrics_.count_refused();
    HttpResponse response = response_of(fault);
    response.headers.insert(response.headers.end(), headers.begin(), headers.end());
    response.close = is_draining_;
    exchange.respond(std::move(response));
  }
  metrics_.count_request(route == nullptr ? "none" : route->path, status);
  if (options_.on_request) options_.on_request(exchange.method(), exchange.path(), status);
}

}  // namespace bitnet::http
