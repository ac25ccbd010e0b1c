#include "service/http/client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "support/canary.h"
#include "support/parse_json.h"

namespace bitnet::test {
namespace {

constexpr int kPatience = 60;  // seconds, for what must come

HttpReply reply_of(const httplib::Result& result) {
  if (!result) return {};
  HttpReply reply{.status = result->status, .headers = {}, .body = result->body};
  for (const auto& [name, value] : result->headers) reply.headers.emplace(name, value);
  return reply;
}

httplib::Client client_of(int port) {
  httplib::Client client("127.0.0.1", port);
  client.set_read_timeout(kPatience, 0);
  return client;
}

}  // namespace

std::string HttpReply::header(const std::string& name) const {
  const auto at = headers.find(name);
  return at == headers.end() ? "" : at->second;
}

TestServer::TestServer(http::ServerOptions options, const SchedulerOptions& scheduler)
    : TestServer(canary(), std::move(options), scheduler) {}

TestServer::TestServer(const Model& model, http::ServerOptions options, const SchedulerOptions& scheduler)
    : scheduler_(std::make_unique<Scheduler>(model, scheduler)) {
  options.port = 0;
  server_ = std::make_unique<http::Server>(model, *scheduler_, std::move(options));
  server_->start();
}

HttpReply TestServer::get(const std::string& path, const HttpHeaders& headers) const {
  return reply_of(client_of(port()).Get(path, httplib::Headers(headers.begin(), headers.end())));
}

HttpReply TestServer::post(const std::string& path, const std::string& body, HttpHeaders headers) const {
  std::string type = "application/json";
  if (const auto given = headers.find("Content-Type"); given != headers.end()) {
    type = given->second;
    headers.erase(given);
  }
  return reply_of(client_of(port()).Post(path, httplib::Headers(headers.begin(), headers.end()), body, type));
}

HttpReply TestServer::send(const std::string& method, const std::string& path) const {
  httplib::Request request;
  request.method = method;
  request.path = path;
  return reply_of(client_of(port()).send(request));
}

double TestServer::metric(const std::string& line) const {
  const std::string text = "\n" + get("/metrics").body;
  const std::size_t at = text.find("\n" + line + " ");
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + line.size() + 2, nullptr);
}

::testing::AssertionResult TestServer::becomes(const std::string& line, double value) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(kPatience);
  double now = 0;
  do {
    now = metric(line);
    if (now == value) return ::testing::AssertionSuccess();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  } while (std::chrono::steady_clock::now() < deadline);
  return ::testing::AssertionFailure() << line << " is " << now << ", and not " << value;
}

std::vector<Json> events_of(const HttpReply& reply) {
  std::vector<Json> events;
  std::string_view left = reply.body;
  bool is_done = false;
  while (!left.empty()) {
    const std::size_t end = left.find("\n\n");
    const std::string_view event = left.substr(0, end);
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 2);
    EXPECT_FALSE(is_done) << event;
    if (event.starts_with(":")) continue;  // a comment
    EXPECT_TRUE(event.starts_with("data: ")) << event;
    is_done = event == "data: [DONE]";
    if (!is_done) events.push_back(parse_json(event.substr(6)));
  }
  EXPECT_TRUE(is_done) << reply.status << " " << reply.body;
  return events;
}

RawConnection::RawConnection(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience{kPatience, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

void RawConnection::send(std::string_view text) const {
  ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
}

std::string RawConnection::read_until(std::string_view part) {
  std::string all;
  std::array<char, 4096> bytes{};
  while (part.empty() || all.find(part) == std::string::npos) {
    const ssize_t n = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (n <= 0) break;
    all.append(bytes.data(), static_cast<std::size_t>(n));
  }
  return all;
}

void RawConnection::end() const { ::shutdown(socket_, SHUT_WR); }

void RawConnection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

std::string request_text(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace bitnet::test
