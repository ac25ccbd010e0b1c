// Who may use a server.
#include <gtest/gtest.h>

#include <string>

#include "service/http/client.h"
#include "service/http/server/guard.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

HttpHeaders bearer(const std::string& key) { return {{"Authorization", "Bearer " + key}}; }

std::string code_of(const HttpReply& reply) { return reply.json()["error"]["code"]; }

TEST(Guard, WantsTheKeyForAllButThePageAndHealth) {
  const TestServer server({.api_key = "correct-horse"});
  for (const char* path : {"/v1/models", "/metrics"}) {
    const HttpReply without = server.get(path);
    EXPECT_EQ(without.status, 401);
    EXPECT_EQ(code_of(without), "missing_api_key");
    EXPECT_EQ(without.header("WWW-Authenticate"), "Bearer");
    for (const char* wrong : {"", "correct-hors", "correct-horsf", "correct-horsecorrect-horse"}) {
      EXPECT_EQ(server.get(path, bearer(wrong)).status, 401) << wrong;
    }
    EXPECT_EQ(server.get(path, bearer("correct-horse")).status, 200);
    EXPECT_EQ(server.get(path, {{"authorization", "bearer correct-horse"}}).status, 200);
  }
  EXPECT_EQ(server.post("/v1/completions", R"({"prompt": "a"})").status, 401);
  EXPECT_EQ(server.get("/").status, 200);
  EXPECT_EQ(server.get("/health").status, 200);
}

TEST(Guard, RefusesPagesOfOthersWhereThereIsNoKey) {
  const TestServer server;
  const std::string own = "http://127.0.0.1:" + std::to_string(server.port());
  const auto from = [&](const std::string& origin) {
    return server.post("/v1/completions", R"({"prompt": "a", "max_tokens": 1})", {{"Origin", origin}});
  };
  EXPECT_EQ(from(own).status, 200);
  for (const char* other : {"http://evil.example", "null", "http://127.0.0.1:1"}) {
    const HttpReply reply = from(other);
    EXPECT_EQ(reply.status, 403) << other;
    EXPECT_EQ(code_of(reply), "origin_not_allowed");
    EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), "");
  }
}

TEST(Guard, RefusesNamesThatOthersGaveThisMachine) {
  const TestServer server;
  const HttpReply reply = server.get("/v1/models", {{"Host", "evil.example"}});
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(code_of(reply), "host_not_allowed");
  for (const char* other :
       {"127.evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "[::2]"}) {
    EXPECT_EQ(server.get("/v1/models", {{"Host", other}}).status, 403) << other;
  }
  for (const char* own : {"localhost", "LOCALHOST:99", "127.0.0.1:8", "[::1]:8"}) {
    EXPECT_EQ(server.get("/v1/models", {{"Host", own}}).status, 200) << own;
  }
}

TEST(Guard, KnowsTheAddressesThatThisMachineAloneCanReach) {
  for (const char* own : {"localhost", "a.localhost", "127.0.0.1", "127.9.8.7", "127.1", "::1", "[::1]"}) {
    EXPECT_TRUE(http::is_loopback(own)) << own;
  }
  for (const char* other :
       {"", "0.0.0.0", "::", "10.0.0.1", "1270.0.0.1", "128.0.0.1", "127.x", "::2", "localhosts"}) {
    EXPECT_FALSE(http::is_loopback(other)) << other;
  }
}

TEST(Guard, LetsThePagesUseItThatItWasToldOf) {
  const TestServer server({.origins = {"https://app.example"}});
  const HttpReply allowed = server.get("/v1/models", {{"Origin", "https://app.example"}});
  EXPECT_EQ(allowed.status, 200);
  EXPECT_EQ(allowed.header("Access-Control-Allow-Origin"), "https://app.example");
  EXPECT_EQ(allowed.header("Vary"), "Origin");
  const HttpReply other = server.get("/v1/models", {{"Origin", "https://app.example.evil"}});
  EXPECT_EQ(other.status, 403);
  EXPECT_EQ(other.header("Access-Control-Allow-Origin"), "");
}

TEST(Guard, AnswersWhatBrowsersAskBefore) {
  const TestServer server({.api_key = "k", .origins = {"*"}});
  RawConnection connection(server.port());
  connection.send(
      "OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: a\r\nOrigin: https://x.example\r\n"
      "Access-Control-Request-Method: POST\r\n"
      "Access-Control-Request-Headers: authorization,x-stainless-os\r\nConnection: close\r\n\r\n");
  const std::string answer = connection.read_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 204")) << answer;
  EXPECT_TRUE(has(answer, "Access-Control-Allow-Origin: *"));
  EXPECT_TRUE(has(answer, "Access-Control-Allow-Headers: authorization,x-stainless-os\r\n"));
  EXPECT_TRUE(lacks(answer, "Content-Type:"));
}

}  // namespace
}  // namespace bitnet::test
