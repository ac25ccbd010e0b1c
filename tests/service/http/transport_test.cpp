// What clients send that is no proper request, or comes at its own pace.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/http/client.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using std::chrono::milliseconds;

http::ServerOptions patient_for(milliseconds time) {
  http::ServerOptions options;
  options.listener.receive_time = time;
  return options;
}

std::string answer_to(const TestServer& server, std::string_view text) {
  RawConnection connection(server.port());
  connection.send(text);
  return connection.read_all();
}

// The one that has something to be read before all others.
RawConnection& first_answered(const std::vector<std::unique_ptr<RawConnection>>& open) {
  std::vector<pollfd> waits;
  for (const auto& connection : open) waits.push_back({connection->socket(), POLLIN, 0});
  EXPECT_GT(::poll(waits.data(), waits.size(), -1), 0);
  const auto at = std::ranges::find_if(waits, [](const pollfd& one) { return one.revents != 0; });
  return *open[static_cast<std::size_t>(at - waits.begin())];
}

TEST(Transport, AnswersOneRequestAfterAnotherOnAConnection) {
  const TestServer server;
  RawConnection connection(server.port());
  for (int i = 0; i < 3; ++i) {
    connection.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(connection.read_until("\"ok\"}\n").starts_with("HTTP/1.1 200"));
  }
  // Two at once are answered one after the other.
  connection.send(
      "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
      "GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string both = connection.read_all();
  EXPECT_TRUE(both.starts_with("HTTP/1.1 200")) << both;
  EXPECT_TRUE(has(both, "HTTP/1.1 404"));
}

TEST(Transport, RefusesWhatIsNoRequest) {
  const TestServer server;
  for (const char* text : {"nonsense\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"}) {
    const std::string answer = answer_to(server, text);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 4")) << text << answer;
    EXPECT_TRUE(has(answer, "\"error\""));
  }
}

TEST(Transport, LimitsWhatStandsBeforeTheBody) {
  const TestServer server;
  const std::string answer =
      answer_to(server, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + std::string(40000, 'a'));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 4")) << answer;
  const std::string many = [] {
    std::string text = "GET / HTTP/1.1\r\nHost: localhost\r\n";
    for (int i = 0; i < 10000; ++i) text += "X-" + std::to_string(i) + ": a\r\n";
    return text;
  }();
  EXPECT_TRUE(answer_to(server, many).starts_with("HTTP/1.1 431"));
}

TEST(Transport, TakesAddressesOfAnyFormAndNotOfAnyLength) {
  const TestServer server;
  const auto get = [&](const std::string& address) {
    return answer_to(server, "GET " + address + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  };
  EXPECT_TRUE(get("http://localhost/health").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(get("http://localhost").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(get("/" + std::string(8000, 'a')).starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(get("/" + std::string(10000, 'a')).starts_with("HTTP/1.1 414"));
  const std::string endless = get("/" + std::string(100000, 'a'));
  EXPECT_TRUE(endless.starts_with("HTTP/1.1 414")) << endless;
  EXPECT_TRUE(has(endless, "address_too_long"));
}

TEST(Transport, GivesNoPartsOfAnAnswer) {
  const TestServer server;
  std::string ranges = "bytes=0-";
  for (int i = 0; i < 1000; ++i) ranges += ",0-";
  const HttpReply whole = server.get("/");
  const HttpReply reply = server.get("/", {{"Range", ranges}});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, whole.body);
  EXPECT_EQ(server.get("/health", {{"Range", "bytes=0-2"}}).body, server.get("/health").body);
}

TEST(Transport, StreamsToClientsThatKnowNoChunks) {
  const TestServer server;
  const std::string body = R"({"prompt": "Once", "max_tokens": 4, "stream": true})";
  std::string text = request_text("/v1/completions", body);
  text.replace(text.find("HTTP/1.1"), 8, "HTTP/1.0");
  const std::string answer = answer_to(server, text);  // up to the end of the connection
  EXPECT_TRUE(lacks(answer, "Transfer-Encoding"));
  EXPECT_TRUE(answer.ends_with("data: [DONE]\n\n")) << answer;
}

TEST(Transport, LimitsWhatABodyTakesToCome) {
  const TestServer server({.body_bytes = 2000});
  // The length of a chunk that never ends.
  const std::string answer = answer_to(server,
                                       "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                                       "application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                           std::string(300000, '0'));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413")) << answer;
}

TEST(Transport, RefusesBodiesOfDoubtfulLength) {
  const TestServer server;
  const std::string head =
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  EXPECT_TRUE(answer_to(server, head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
                  .starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(answer_to(server, head + "Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}")
                  .starts_with("HTTP/1.1 400"));
  for (const char* length : {"-1", "abc", "0x5", "5, 5"}) {
    EXPECT_TRUE(
        answer_to(server, head + "Content-Length: " + length + "\r\n\r\n{}").starts_with("HTTP/1.1 400"))
        << length;
  }
  EXPECT_TRUE(answer_to(server, head + "Content-Length: 99999999999999999999999\r\n\r\n{}")
                  .starts_with("HTTP/1.1 413"));
}

TEST(Transport, GivesARequestSomeTimeToCome) {
  const TestServer server(patient_for(milliseconds(300)));
  EXPECT_TRUE(answer_to(server, "GET / HTTP/1.1\r\nHost: ").starts_with("HTTP/1.1 408"));
  EXPECT_TRUE(answer_to(server, "GE").starts_with("HTTP/1.1 408"));
  const std::string late = answer_to(server,
                                     "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                                     "application/json\r\nContent-Length: 20\r\n\r\n{\"prompt\"");
  EXPECT_TRUE(late.starts_with("HTTP/1.1 408")) << late;
  EXPECT_EQ(server.get("/health").status, 200);
}

// Connections of which nothing comes hold no place that others want.
TEST(Transport, ClosesConnectionsThatNeverSayAnything) {
  http::ServerOptions options = patient_for(std::chrono::minutes(10));
  options.queue = 0;
  const TestServer server(std::move(options), {.n_sequences = 1});
  std::vector<std::unique_ptr<RawConnection>> open;
  for (std::size_t i = 0; i < 65; ++i) open.push_back(std::make_unique<RawConnection>(server.port()));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  HttpReply reply = server.get("/health");
  while (reply.status == 503 && std::chrono::steady_clock::now() < deadline) reply = server.get("/health");
  EXPECT_EQ(reply.status, 200);
}

// One that closes its half of the connection before the answer is there is taken for one that has gone.
TEST(Transport, SaysNothingToAClientThatHasGone) {
  const TestServer server;
  RawConnection connection(server.port());
  connection.send(request_text("/v1/completions", R"({"prompt": "Once", "n": 8, "ignore_eos": true})"));
  connection.end();
  EXPECT_EQ(connection.read_all(), "");
  EXPECT_TRUE(server.becomes(R"(bitnet_requests_total{route="/v1/completions",status="499"})", 1));
}

TEST(Transport, TellsWhoComesToTooManyConnections) {
  http::ServerOptions options;
  options.queue = 0;
  const TestServer server(std::move(options), {.n_sequences = 1});
  // Each has begun a request, and so cannot be sent away for others.
  std::vector<std::unique_ptr<RawConnection>> open;
  for (std::size_t i = 0; i < 66; ++i) {
    open.push_back(std::make_unique<RawConnection>(server.port()));
    open.back()->send("GET /health HTTP/1.1\r\nHost: localhost\r\n");
  }
  const std::string refused = first_answered(open).read_until("\r\n");
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 503")) << refused;
  open.clear();
  HttpReply reply = server.get("/health");
  while (reply.status == 503) reply = server.get("/health");
  EXPECT_EQ(reply.status, 200);
}

TEST(Transport, ClosesIdleConnectionsForThoseThatCome) {
  http::ServerOptions options;
  options.queue = 0;
  const TestServer server(std::move(options), {.n_sequences = 1});
  // Idle ones, each of which has been answered, give way.
  std::vector<std::unique_ptr<RawConnection>> open;
  for (std::size_t i = 0; i < 150; ++i) {
    open.push_back(std::make_unique<RawConnection>(server.port()));
    open.back()->send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const std::string answer = open.back()->read_until("}\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 503")) << i << answer;
  }
  HttpReply reply = server.get("/health");
  while (reply.status == 503) reply = server.get("/health");
  EXPECT_EQ(reply.status, 200);
}

}  // namespace
}  // namespace bitnet::test
