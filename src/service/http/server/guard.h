// Who may ask what: the key, and pages of other sites in a user's browser.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/http/transport/transport.h"

namespace bitnet::http {

struct AccessRules {
  std::string api_key{};             // empty: none is wanted
  std::vector<std::string> origins;  // whose pages may ask from a browser beside our own; "*": all
  std::string host = "127.0.0.1";    // that is listened on
};

class Guard {
 public:
  explicit Guard(AccessRules rules) : rules_(std::move(rules)) {}

  // Throws ApiError. Without a key nothing but the names that a request calls this server by, and those of
  // the page that it comes from, keeps other sites' pages from using it: a browser sends both truthfully.
  void check(const Exchange& exchange, bool needs_key) const;
  // Headers by which a browser lets the pages of an allowed origin read the answer.
  std::vector<std::pair<std::string, std::string>> cors_headers(const Exchange& exchange) const;

 private:
  void check_key(const Exchange& exchange) const;
  bool is_allowed_origin(std::string_view origin) const;

  AccessRules rules_;
};

// It is this machine alone that can reach it.
bool is_loopback(std::string_view host);

}  // namespace bitnet::http
