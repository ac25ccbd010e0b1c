// What a server does beside answering: routes, limits, clients that leave, its end.
#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <string>

#include "bitnet/error.h"
#include "service/http/client.h"
#include "service/http/server/page.h"
#include "support/canary.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using std::chrono::milliseconds;

const char* const kText = "/v1/completions";
constexpr const char* kRunning = "bitnet_sequences_running";
constexpr const char* kWaiting = "bitnet_sequences_waiting";

// Many times as long as a test takes that ends it before.
Json long_request(std::size_t n, bool stream) {
  return {{"prompt", "Once"}, {"n", n}, {"ignore_eos", true}, {"stream", stream}};
}

// One sequence at a time, and forty that may wait.
const SchedulerOptions kOneAtATime{.n_sequences = 1};
constexpr std::size_t kAll = 41;
http::ServerOptions with_queue() {
  http::ServerOptions options;
  options.queue = kAll - 1;
  return options;
}

// Those that wait first: none of them runs afterwards.
bool has_nothing_to_do(const TestServer& server) {
  return server.becomes(kWaiting, 0) && server.becomes(kRunning, 0);
}

TEST(Server, ServesThePageAsItIs) {
  const TestServer server;
  const HttpReply page = server.get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, http::chat_page());
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.header("Content-Security-Policy"), "frame-ancestors 'none'");
  EXPECT_EQ(page.header("X-Content-Type-Options"), "nosniff");
}

TEST(Server, TellsItsModelAndThatItIsWell) {
  const TestServer server({.model_name = "some-model"});
  EXPECT_EQ(server.get("/health").json(), Json({{"status", "ok"}}));
  const Json list = server.get("/v1/models").json();
  ASSERT_EQ(list["data"].size(), 1U);
  EXPECT_EQ(list["data"][0]["id"], "some-model");
  EXPECT_EQ(server.get("/v1/models/some-model").json(), list["data"][0]);
  EXPECT_EQ(server.get("/v1/models/other").status, 404);
  EXPECT_EQ(server.post(kText, R"({"model": "some-model", "prompt": "a", "max_tokens": 1})").status, 200);
}

TEST(Server, NamesTheModelByItsFileUnlessItIsTold) {
  const TestServer server;
  EXPECT_EQ(server.get("/v1/models").json()["data"][0]["id"], "canary");
}

TEST(Server, KnowsItsPathsAndTheirMethods) {
  const TestServer server;
  EXPECT_EQ(server.get("/v1").status, 404);
  EXPECT_EQ(server.get("/v1/completions/").status, 404);
  EXPECT_EQ(server.get("/health?verbose=1").status, 200);
  const HttpReply wrong = server.get(kText);
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("Allow"), "POST, OPTIONS");
  EXPECT_EQ(server.send("DELETE", "/v1/models").status, 405);
  const HttpReply head = server.send("HEAD", "/health");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
}

TEST(Server, WantsJsonToBeCalledSo) {
  const TestServer server;
  const std::string body = R"({"prompt": "a", "max_tokens": 1})";
  EXPECT_EQ(server.post(kText, body, {{"Content-Type", "text/plain"}}).status, 415);
  EXPECT_EQ(server.post(kText, body, {{"Content-Type", "application/x-www-form-urlencoded"}}).status, 415);
  EXPECT_EQ(server.post(kText, body, {{"Content-Type", "Application/JSON ; charset=utf-8"}}).status, 200);
}

TEST(Server, CountsWhatItDoes) {
  const TestServer server;
  EXPECT_EQ(server.complete({{"prompt", "Once"}, {"max_tokens", 3}, {"ignore_eos", true}}).status, 200);
  server.get("/nothing");
  EXPECT_EQ(server.metric(R"(bitnet_requests_total{route="/v1/completions",status="200"})"), 1);
  EXPECT_EQ(server.metric(R"(bitnet_requests_total{route="none",status="404"})"), 1);
  EXPECT_TRUE(server.becomes("bitnet_generated_tokens_total", 3));
  EXPECT_EQ(server.metric("bitnet_time_to_first_token_seconds_count"), 1);
  EXPECT_EQ(server.metric("bitnet_time_per_token_seconds_count"), 2);
  EXPECT_EQ(server.metric(R"(bitnet_request_seconds_bucket{le="+Inf"})"), 1);
}

TEST(Server, LimitsTheTokensOfAnAnswer) {
  const TestServer server({.max_tokens = 4});
  const Json body{{"prompt", "Once"}, {"ignore_eos", true}};
  const Json choice = server.complete(body).json();
  EXPECT_EQ(choice["usage"]["completion_tokens"], 4);
  EXPECT_EQ(choice["choices"][0]["finish_reason"], "length");
  Json more = body;
  more["max_tokens"] = 5;
  const HttpReply refused = server.complete(more);
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json()["error"]["param"], "max_tokens");
}

TEST(Server, LimitsTheBodyWhetherItsLengthIsToldOrNot) {
  const TestServer server({.body_bytes = 2000});
  const std::string body = R"({"prompt": ")" + std::string(3000, 'a') + "\"}";
  const HttpReply reply = server.post(kText, body);
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.json()["error"]["code"], "body_too_large");
  RawConnection chunked(server.port());
  chunked.send(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\nbb8\r\n" +
      std::string(3000, 'a') + "\r\n");
  EXPECT_TRUE(chunked.read_all().starts_with("HTTP/1.1 413"));
}

TEST(Server, LimitsTheTimeOfAnAnswer) {
  http::ServerOptions options = with_queue();
  options.time = milliseconds(1);
  const TestServer server(std::move(options), kOneAtATime);
  const HttpReply whole = server.complete(long_request(kAll, false));
  EXPECT_EQ(whole.status, 504) << whole.body;
  EXPECT_EQ(whole.json()["error"]["code"], "time_limit");
  EXPECT_TRUE(has_nothing_to_do(server));
  const HttpReply stream = server.complete(long_request(kAll, true));
  EXPECT_EQ(stream.status, 200);
  EXPECT_TRUE(has(stream.body, "time_limit"));
  EXPECT_TRUE(server.becomes(kRunning, 0));
  EXPECT_EQ(server.metric("bitnet_clients_gone_total"), 0);  // they waited
}

TEST(Server, SaysWhenToComeBackWhereItsQueueIsFull) {
  const TestServer server(with_queue(), kOneAtATime);
  RawConnection all(server.port());
  all.send(request_text(kText, long_request(kAll, true).dump()));
  all.read_until("data: ");
  const HttpReply refused = server.complete({{"prompt", "a"}});
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.json()["error"]["code"], "queue_full");
  EXPECT_GE(std::stoi(refused.header("Retry-After")), 1);
  EXPECT_EQ(server.metric("bitnet_requests_refused_total"), 1);
  EXPECT_EQ(server.metric(kWaiting), static_cast<double>(kAll - 1));
  all.close();
  EXPECT_TRUE(has_nothing_to_do(server));
  EXPECT_EQ(server.complete({{"prompt", "a"}, {"max_tokens", 1}}).status, 200);
}

TEST(Server, FreesTheSequencesOfAClientThatLeaves) {
  const TestServer server(with_queue(), kOneAtATime);
  for (const bool stream : {true, false}) {
    RawConnection client(server.port());
    client.send(request_text(kText, long_request(kAll, stream).dump()));
    EXPECT_TRUE(server.becomes(kRunning, 1));
    client.close();
    EXPECT_TRUE(has_nothing_to_do(server));
  }
  EXPECT_GE(server.metric("bitnet_clients_gone_total"), 2);
  // No request beside those that were made.
  EXPECT_EQ(server.metric(R"(bitnet_requests_total{route="/v1/completions",status="499"})"), 1);
  EXPECT_TRUE(lacks(server.get("/metrics").body, "route=\"none\""));
  EXPECT_TRUE(server.becomes("bitnet_connections", 1));  // the one that asks
}

TEST(Answer, IsGivenUpWhereItsReaderIsTooSlow) {
  http::Answer answer(2000);
  std::size_t n = 0;
  while (n < 1000 && answer.push({.text = std::string(500, 'a'), .token = {}, .end = {}})) ++n;
  EXPECT_GE(n, 2U);
  EXPECT_LE(n, 4U);
  EXPECT_TRUE(answer.is_abandoned());
  // Its end comes all the same, after what there was.
  EXPECT_TRUE(answer.push({.text = {}, .token = {}, .end = SequenceEnd{}}));
  for (std::size_t i = 0; i < n; ++i) EXPECT_FALSE(answer.next(milliseconds(0))->end);
  EXPECT_TRUE(answer.next(milliseconds(0))->end);
  EXPECT_FALSE(answer.next(milliseconds(0)));
}

TEST(Server, StreamsChoicesThatRunOneAfterAnother) {
  http::ServerOptions options;
  options.queue = 3;
  const TestServer server(std::move(options), kOneAtATime);
  const std::vector<Json> events = events_of(server.complete(long_request(4, true)));
  std::size_t n_ended = 0;
  for (const Json& event : events) n_ended += event["choices"][0]["finish_reason"] == "length" ? 1U : 0U;
  EXPECT_EQ(n_ended, 4U);
}

TEST(Server, FinishesWhatHasBegunBeforeItStops) {
  TestServer server({}, {.n_sequences = 4});
  RawConnection client(server.port());
  client.send(request_text(kText, R"({"prompt": "Once", "n": 4, "ignore_eos": true, "stream": true})"));
  client.read_until("data: ");
  auto drained = std::async(std::launch::async, [&] { server.server().drain(); });
  // A connection that is accepted before it is over is told so; one that comes later finds nobody.
  HttpReply late = server.get("/health");
  while (late.status == 200) late = server.get("/health");
  EXPECT_TRUE(late.status == 0 || late.json()["status"] == "stopping") << late.body;
  EXPECT_TRUE(has(client.read_all(), "data: [DONE]"));
  drained.get();
  EXPECT_EQ(server.get("/health").status, 0);
}

TEST(Server, TellsThoseThatComeWhileItStops) {
  TestServer server(with_queue(), kOneAtATime);
  RawConnection client(server.port());
  client.send(request_text(kText, long_request(kAll, true).dump()));
  client.read_until("data: ");
  auto drained = std::async(std::launch::async, [&] { server.server().drain(); });
  while (server.get("/health").status == 200) {
  }
  const HttpReply refused = server.complete({{"prompt", "a"}});
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.json()["error"]["code"], "stopping");
  client.close();
  drained.get();
}

TEST(Server, CutsOffWhatRunsWhenItIsDestroyed) {
  std::optional<RawConnection> client;
  {
    const TestServer server(with_queue(), kOneAtATime);
    client.emplace(server.port());
    client->send(request_text(kText, long_request(kAll, true).dump()));
    client->read_until("data: ");
  }
  EXPECT_TRUE(has(client->read_all(), "the server is stopping"));
}

TEST(Server, SaysWhyItCannotListen) {
  const TestServer first;
  Scheduler scheduler(canary());
  http::Server second(canary(), scheduler, {.port = first.port()});
  EXPECT_THROW(
      {
        try {
          second.start();
        } catch (const RuntimeError& e) {
          EXPECT_TRUE(has(e.what(), "Address already in use"));
          throw;
        }
      },
      RuntimeError);
}

}  // namespace
}  // namespace bitnet::test
