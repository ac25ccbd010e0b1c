// What a request is refused with, in OpenAI's form.
#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <string>

#include "bitnet/error.h"
#include "service/http/transport/transport.h"

namespace bitnet::http {

struct ApiFault {
  int status = 500;
  std::string message{};
  std::string type = "invalid_request_error";
  std::string param{};  // the field that it is about; empty: none
  std::string code{};   // for programs; empty: none
  std::optional<std::chrono::seconds> retry_after{};
};

class ApiError : public RuntimeError {
 public:
  explicit ApiError(ApiFault fault) : RuntimeError(fault.message), fault_(std::move(fault)) {}
  const ApiFault& fault() const { return fault_; }

 private:
  ApiFault fault_;
};

// How any failure is told: what the request is to blame for with 4xx, the rest with 5xx.
ApiFault fault_of(const std::exception_ptr& failure);
// Of a request that was not one: a status alone.
ApiFault fault_of(int status);

// {"error": {message, type, param, code}}
std::string error_json(const ApiFault& fault);
HttpResponse response_of(const ApiFault& fault);

}  // namespace bitnet::http
