// What is asked of a model: lines of a batch, bodies of requests to the server, and all that goes over its
// connections.
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>

#include "bitnet/error.h"
#include "bitnet/scheduler.h"
#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "service/batch/batch.h"
#include "service/http/api/api_error.h"
#include "service/http/api/api_request.h"
#include "service/http/client.h"
#include "service/http/server/server.h"
#include "support/small_model.h"

namespace bitnet::fuzz {
namespace {

using Json = nlohmann::json;

// All bytes have a token, and a token is run in microseconds.
const Model& tiny_model() {
  static const test::LoadedModel loaded(test::SmallModel(
      "llama", {.layers = 1, .hidden = 128, .heads = 2, .kv_heads = 1, .ffn = 128, .vocab = 300}));
  return loaded.model;
}

SchedulerOptions few_tokens() {
  SchedulerOptions options;
  options.ctx_size = 64;
  options.n_sequences = 2;
  options.n_threads = 1;
  return options;
}

void run_batch(std::string_view input) {
  const MemoryFile file(input);
  service::LineReader lines(file.path());
  Scheduler scheduler(tiny_model(), few_tokens());
  service::BatchOptions options;
  options.defaults.max_tokens = 4;
  std::size_t n_records = 0;
  std::size_t last = 0;
  options.write = [&](std::string_view record) {
    require(record.ends_with('\n') && record.find('\n') == record.size() - 1, "a record is a line");
    const Json json = Json::parse(record);
    const auto line = json.at("line").get<std::size_t>();
    require(line > last, "records come in the order of their lines");
    last = line;
    ++n_records;
    require(json.contains("error") != json.contains("text"), "a record is an answer or an error");
  };
  service::BatchCounts counts;
  service::run_batch(tiny_model(), scheduler, lines, options, counts);
  require(n_records == counts.n_read && counts.n_done == counts.n_read, "a record for each line");
}

std::vector<std::string> batches() {
  return {
      "{\"prompt\":\"ab\",\"max_tokens\":3,\"id\":7}\n\n{\"ids\":[1,2],\"temperature\":0.5,\"seed\":3,\"top_"
      "k\":4}\n",
      R"({"messages":[{"role":"user","content":"hi"}],"template":"chatml","system":"s","stop":["x"]})",
      R"({"prompt":"\u00e9","logprobs":2,"repeat_penalty":1.1,"repeat_window":4,"min_p":0.1,"top_p":0.9,"special":true})",
      "{\"prompt\":3}\r\nnothing\n{\"prompt\":\"\",\"ignore_eos\":true}"};
}

// The first byte says to which address, the rest is the body.
void run_api(std::string_view input) {
  if (input.empty()) return;
  const auto kind =
      (static_cast<unsigned char>(input[0]) & 1U) != 0 ? http::ApiKind::chat : http::ApiKind::completion;
  http::ServedModel served;
  served.model = &tiny_model();
  served.name = "tiny";
  served.ctx_size = 64;
  served.max_tokens = 16;
  served.most_choices = 8;
  try {
    const http::ApiRequest request = http::read_api_request(kind, input.substr(1), served);
    require(!request.jobs.empty() && request.jobs.size() <= served.most_choices,
            "as many choices as there may be");
  } catch (const http::ApiError& e) {
    require(e.fault().status >= 400 && e.fault().status < 500, "the request is to blame");
    require(Json::accept(http::error_json(e.fault())), "an error is JSON");
  } catch (const UsageError&) {
  }
}

std::vector<std::string> bodies() {
  return {
      std::string("\0", 1) +
          R"({"model":"tiny","prompt":["ab","c"],"max_tokens":4,"n":2,"stream":true,"stop":["x"],"logprobs":2})",
      std::string("\0", 1) +
          R"({"prompt":[[1,2],[3]],"temperature":0,"seed":-1,"echo":false,"best_of":1,"user":"u"})",
      "\1"
      R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"hi"}]}],)"
      R"("logprobs":true,"top_logprobs":3,"max_completion_tokens":5,"stream_options":{"include_usage":true}})",
      "\1"
      R"({"messages":[{"role":"user","content":"a"}],"top_p":0.5,"frequency_penalty":0,"presence_penalty":0,)"
      R"("response_format":{"type":"text"},"tools":[],"tool_choice":"none","n":1,"seed":5})"};
}

// Reads to the end of the connection, which comes.
std::string read_to_end(int socket) {
  constexpr int kPatience = 20000;  // ms
  std::string all;
  char some[4096];
  for (;;) {
    pollfd one{socket, POLLIN, 0};
    const int n_ready = ::poll(&one, 1, kPatience);
    if (n_ready < 0 && errno == EINTR) continue;  // libFuzzer's clock
    require(n_ready > 0, "the server answers or closes the connection");
    const ssize_t n = ::recv(socket, some, sizeof some, MSG_DONTWAIT);
    if (n <= 0) return all;
    all.append(some, static_cast<std::size_t>(n));
  }
}

void run_http(std::string_view input) {
  static Scheduler scheduler(tiny_model(), few_tokens());
  static const std::unique_ptr<http::Server> server = [] {
    http::ServerOptions options;
    options.port = 0;
    options.max_tokens = 2;
    auto made = std::make_unique<http::Server>(tiny_model(), scheduler, options);
    made->start();
    return made;
  }();
  std::string reply;
  {
    const test::RawConnection connection(server->port());
    connection.send(input);
    ::shutdown(connection.socket(), SHUT_WR);
    reply = read_to_end(connection.socket());
  }
  require(reply.empty() || reply.starts_with("HTTP/1.1 "), "what comes back is an answer");
  require(server->failure().empty(), "the server goes on");
}

std::vector<std::string> conversations() {
  const std::string body = R"({"prompt":"ab","max_tokens":1})";
  const std::string chat = R"({"messages":[{"role":"user","content":"a"}],"stream":true,"max_tokens":1})";
  const auto post = [](const std::string& path, const std::string& content) {
    return "POST " + path +
           " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(content.size()) + "\r\n\r\n" + content;
  };
  return {"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
          "GET /metrics HTTP/1.0\r\n\r\n",
          "GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer x\r\n\r\nGET / "
          "HTTP/1.1\r\nHost: localhost\r\n"
          "Connection: close\r\n\r\n",
          "OPTIONS /v1/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a.example\r\n"
          "Access-Control-Request-Method: POST\r\n\r\n",
          post("/v1/completions", body),
          post("/v1/chat/completions", chat),
          "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n" +
              body + "\r\n0\r\n\r\n"};
}

}  // namespace

const Target kBatch{
    "batch",
    batches,
    run_batch,
    {"\"messages\"", "\"role\"", "\"logprobs\"", "\"stop\"", "null", "1e999", "-1", "\\ud800", "\"think\""},
    600};
const Target kApi{"api",
                  bodies,
                  run_api,
                  {"\"logit_bias\"", "\"suffix\"", "\"developer\"", "\"assistant\"", "\"image_url\"",
                   "\"functions\"", "null", "1e999", "-1", "\\ud800", "\"json_object\""},
                  4000};
const Target kHttp{"http",
                   conversations,
                   run_http,
                   {"Content-Length: ", "Transfer-Encoding: chunked\r\n", "Range: bytes=0-1,2-3\r\n",
                    "Expect: 100-continue\r\n", "Content-Encoding: gzip\r\n", "Connection: close\r\n",
                    "HTTP/1.1", "\r\n\r\n", "%00", "/../", "http://a/"},
                   150};

}  // namespace bitnet::fuzz
