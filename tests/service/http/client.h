// A server of the canary on a free port, and clients of it.
#pragma once

#include <gtest/gtest.h>
#include <cstddef>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/scheduler.h"
#include "service/http/server/server.h"
#include "support/parse_json.h"

namespace bitnet::test {

using Json = nlohmann::json;
using HttpHeaders = std::multimap<std::string, std::string>;

struct HttpReply {
  int status = 0;  // 0: there was no answer
  HttpHeaders headers{};
  std::string body{};

  Json json() const { return parse_json(body); }
  std::string header(const std::string& name) const;
};

// One that listens while it lives.
class TestServer {
 public:
  explicit TestServer(http::ServerOptions options = {}, const SchedulerOptions& scheduler = {});  // canary
  TestServer(const Model& model, http::ServerOptions options, const SchedulerOptions& scheduler = {});

  http::Server& server() { return *server_; }
  int port() const { return server_->port(); }

  HttpReply get(const std::string& path, const HttpHeaders& headers = {}) const;
  HttpReply post(const std::string& path, const std::string& body, HttpHeaders headers = {}) const;
  HttpReply send(const std::string& method, const std::string& path) const;
  HttpReply complete(const Json& body) const { return post("/v1/completions", body.dump()); }
  HttpReply chat(const Json& body) const { return post("/v1/chat/completions", body.dump()); }
  // The value of a line of /metrics.
  double metric(const std::string& line) const;
  // Waits, for a minute at most, until it is that.
  ::testing::AssertionResult becomes(const std::string& line, double value) const;

 private:
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<http::Server> server_;
};

// The events of a stream, without "[DONE]", which must end it.
std::vector<Json> events_of(const HttpReply& reply);

// A connection whose bytes are the test's own.
class RawConnection {
 public:
  explicit RawConnection(int port);
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  ~RawConnection() { close(); }

  void send(std::string_view text) const;
  // Reads until this has come, or the end; what there was.
  std::string read_until(std::string_view part);
  std::string read_all() { return read_until({}); }
  void end() const;  // of what is sent
  void close();
  int socket() const { return socket_; }

 private:
  int socket_;
};

// A request with that body, as a client writes it.
std::string request_text(std::string_view path, std::string_view body);

}  // namespace bitnet::test
