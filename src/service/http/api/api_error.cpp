#include "service/http/api/api_error.h"

#include <new>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "service/http/engine/engine_loop.h"
#include "service/request/generation_request.h"

namespace bitnet::http {
namespace {

constexpr const char* kServerError = "server_error";

nlohmann::ordered_json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
}

}  // namespace

ApiFault fault_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const ApiError& e) {
    return e.fault();
  } catch (const QueueFull& e) {
    return {.status = 429,
            .message = e.what(),
            .type = "rate_limit_error",
            .code = "queue_full",
            .retry_after = e.retry_after()};
  } catch (const service::FieldError& e) {
    return {.status = 400, .message = e.what(), .param = e.field(), .code = "invalid_value"};
  } catch (const OptionError& e) {
    return {.status = 400, .message = e.what(), .param = std::string(e.option()), .code = "invalid_value"};
  } catch (const UsageError& e) {
    return {.status = 400, .message = e.what(), .code = "invalid_value"};
  } catch (const ModelError& e) {
    return {.status = 400, .message = e.what(), .code = "unsupported_by_model"};
  } catch (const std::bad_alloc&) {
    return {.status = 500, .message = "out of memory", .type = kServerError};
  } catch (const std::exception& e) {
    return {.status = 500, .message = e.what(), .type = kServerError};
  }
}

ApiFault fault_of(int status) {
  switch (status) {
    case 404:
      return {.status = 404,
              .message =
                  "there is nothing at this address; there are /v1/chat/completions, /v1/completions and "
                  "/v1/models",
              .code = "not_found"};
    case 408:
      return {.status = 408, .message = "the request did not come in time", .code = "request_timeout"};
    case 413:
      return {.status = 413, .message = "the body is larger than it may be", .code = "body_too_large"};
    case 414:
      return {.status = 414, .message = "the address is longer than it may be", .code = "address_too_long"};
    case 431:
      return {
          .status = 431, .message = "the headers are larger than they may be", .code = "headers_too_large"};
    case 503:
      return {.status = 503,
              .message = "too many connections are open; come back later",
              .type = kServerError,
              .code = "too_many_connections",
              .retry_after = std::chrono::seconds(1)};
    default:
      if (status < 400 || status >= 500) return {.status = 500, .message = "failed", .type = kServerError};
      return {.status = status,
              .message = "this is no request that HTTP knows, or a line of its header is too long",
              .code = "bad_request"};
  }
}

std::string error_json(const ApiFault& fault) {
  const nlohmann::ordered_json error{{"error",
                                      {{"message", fault.message},
                                       {"type", fault.type},
                                       {"param", text_or_null(fault.param)},
                                       {"code", text_or_null(fault.code)}}}};
  // A message may quote what a file says, and that need not be UTF-8.
  return error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

HttpResponse response_of(const ApiFault& fault) {
  HttpResponse response{
      .status = fault.status, .content_type = "application/json", .body = error_json(fault) + "\n"};
  if (fault.retry_after)
    response.headers.emplace_back("Retry-After", std::to_string(fault.retry_after->count()));
  if (fault.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace bitnet::http
