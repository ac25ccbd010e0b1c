#include "service/http/server/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <cstddef>

#include "base/ascii.h"
#include "base/printable.h"
#include "service/http/api/api_error.h"

namespace bitnet::http {
namespace {

// "localhost" of "localhost:8080", "[::1]" of "[::1]:8080".
std::string_view without_port(std::string_view host) {
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos &&
                        (bracket == std::string_view::npos ? host.find(':') == colon : colon > bracket);
  return has_port ? host.substr(0, colon) : host;
}

std::string_view without_brackets(std::string_view host) {
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

// In a time that tells nothing of where they differ.
bool is_same_secret(std::string_view given, std::string_view wanted) {
  unsigned different = given.size() == wanted.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto one = static_cast<unsigned char>(given[i]);
    const auto other = static_cast<unsigned char>(wanted.empty() ? '\0' : wanted[i % wanted.size()]);
    different |= static_cast<unsigned>(one ^ other);
  }
  return different == 0;
}

constexpr std::size_t kMostHeaderNames = 4096;  // bytes

// A list of names of headers.
bool is_of_names(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == ',' || c == ' ';
}

[[noreturn]] void refuse(std::string message, std::string code) {
  throw ApiError({.status = 403, .message = std::move(message), .code = std::move(code)});
}

}  // namespace

bool is_loopback(std::string_view host) {
  const std::string name = ascii_lower(without_brackets(host));
  if (name == "localhost" || name.ends_with(".localhost")) return true;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, name.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6) != 0;
  // An address in any of its spellings, such as 127.1, and no name that begins like one.
  in_addr v4{};
  return ::inet_aton(name.c_str(), &v4) != 0 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
}

void Guard::check_key(const Exchange& exchange) const {
  constexpr std::string_view kScheme = "bearer ";
  const std::vector<std::string> given = exchange.headers("Authorization");
  const bool has_key = given.size() == 1 && ascii_lower(given.front()).starts_with(kScheme);
  const std::string_view key = has_key ? std::string_view(given.front()).substr(kScheme.size()) : "";
  if (is_same_secret(key, rules_.api_key)) return;
  throw ApiError({.status = 401,
                  .message = has_key ? "the API key is another"
                                     : "an API key is needed: send it as Authorization: Bearer KEY",
                  .type = "authentication_error",
                  .code = has_key ? "invalid_api_key" : "missing_api_key"});
}

bool Guard::is_allowed_origin(std::string_view origin) const {
  return std::ranges::any_of(rules_.origins,
                             [&](const std::string& allowed) { return allowed == "*" || allowed == origin; });
}

void Guard::check(const Exchange& exchange, bool needs_key) const {
  if (!rules_.api_key.empty()) {
    if (needs_key) check_key(exchange);
    return;
  }
  const std::vector<std::string> hosts = exchange.headers("Host");
  if (hosts.size() > 1) throw ApiError(fault_of(400));
  const std::string host = hosts.empty() ? "" : ascii_lower(hosts.front());
  // A name that someone else's DNS points at this machine would make his page one of ours.
  if (is_loopback(rules_.host) && !host.empty() && !is_loopback(without_port(host)) &&
      without_port(host) != ascii_lower(rules_.host)) {
    refuse("this server listens on " + rules_.host + ", and is not called '" +
               printable(host, kMaxPrintedName) + "'; start it with an API key to be reached by other names",
           "host_not_allowed");
  }
  for (const std::string& origin : exchange.headers("Origin")) {
    const std::string name = ascii_lower(origin);
    if (name == "http://" + host || name == "https://" + host || is_allowed_origin(origin)) continue;
    refuse("pages of " + printable(origin, kMaxPrintedName) +
               " may not use this server; start it with --cors and that origin to let them",
           "origin_not_allowed");
  }
}

std::vector<std::pair<std::string, std::string>> Guard::cors_headers(const Exchange& exchange) const {
  if (rules_.origins.empty()) return {};
  std::vector<std::pair<std::string, std::string>> headers{{"Vary", "Origin"}};
  const std::vector<std::string> origins = exchange.headers("Origin");
  if (origins.size() != 1 || !is_allowed_origin(origins.front())) return headers;
  const bool is_any = std::ranges::count(rules_.origins, "*") != 0;
  headers.emplace_back("Access-Control-Allow-Origin", is_any ? "*" : origins.front());
  headers.emplace_back("Access-Control-Expose-Headers", "Retry-After");
  if (exchange.method() == "OPTIONS") {
    headers.emplace_back("Access-Control-Allow-Methods", "GET, POST");
    // Clients add headers of their own, to which nothing here pays heed; "*" does not cover Authorization.
    const std::vector<std::string> wanted = exchange.headers("Access-Control-Request-Headers");
    const bool is_fit = wanted.size() == 1 && wanted.front().size() <= kMostHeaderNames &&
                        std::ranges::all_of(wanted.front(), is_of_names);
    headers.emplace_back("Access-Control-Allow-Headers",
                         is_fit ? wanted.front() : "Authorization, Content-Type");
    headers.emplace_back("Access-Control-Max-Age", "600");
  }
  return headers;
}

}  // namespace bitnet::http
