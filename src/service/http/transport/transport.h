// HTTP as the server sees it, whichever library reads and writes it. Nothing of that library is seen here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitnet::http {

// Of a request: GET and HEAD have none.
enum class BodyState {
  whole,
  too_large,
  unreadable,  // its length or its encoding makes no sense
  late,        // it did not come in time
  broken,      // the connection ended before it did
};

struct HttpResponse {
  int status = 200;
  std::string content_type{};
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};  // that stand beside these
  bool close = false;                                          // the connection, after it
};

// Where the parts of a response go that is written as it comes.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  // Waits for a reader that is slow. False: there is nobody any more, or nobody who reads.
  virtual bool write(std::string_view part) = 0;
  // The client has closed the connection.
  virtual bool is_gone() const = 0;
};

// A request and its answer. Valid while the handler runs that is called with it.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const std::string& method() const = 0;
  virtual const std::string& path() const = 0;  // without the query
  // All headers of that name, in whatever case.
  virtual std::vector<std::string> headers(const std::string& name) const = 0;
  // At most once. What comes compressed is counted and given as it was before.
  virtual BodyState read_body(std::size_t most_bytes, std::string& body) = 0;
  // The client has closed the connection, and will read no answer.
  virtual bool is_gone() const = 0;

  // One of the three, once.
  virtual void respond(HttpResponse response) = 0;
  // No answer: there is nobody to read it.
  virtual void drop() = 0;
  // The head of the response at once; `produce` is called when the handler has returned, and writes the body.
  virtual void stream(HttpResponse head, std::function<void(ResponseWriter&)> produce) = 0;
};

struct ListenerOptions {
  std::string host = "127.0.0.1";
  int port = 0;                       // 0: one that is free
  std::size_t most_connections = 64;  // open at once; others are told so
  std::size_t most_header_bytes = 32768;
  std::size_t most_body_bytes = std::size_t{1} << 20;  // that are read on for a request nobody handles
  std::chrono::milliseconds receive_time{30000};       // a request's head may take, and its body again
  std::chrono::milliseconds idle_time{15000};          // a connection may wait for its next request
  std::chrono::milliseconds stall_time{30000};         // a reader may take nothing
};

struct ListenerCallbacks {
  // Called on one thread for each connection. Must answer, and throws nothing.
  std::function<void(Exchange&)> handle{};
  // The answer to what is no request that could be handled: 400, 408, 414, 431, 503.
  std::function<HttpResponse(int status)> refuse{};
};

class Listener {
 public:
  virtual ~Listener() = default;
  // Empty, or why the address cannot be listened on.
  virtual std::string bind() = 0;
  virtual int port() const = 0;
  // Answers until stop(). False: the socket failed.
  virtual bool run() = 0;
  // From any thread; answers that are being written are cut off.
  virtual void stop() = 0;
  virtual std::size_t n_connections() const = 0;
};

// Loads the library that it is made with. Throws RuntimeError when that cannot be had.
std::unique_ptr<Listener> make_listener(const ListenerOptions& options, ListenerCallbacks callbacks);

}  // namespace bitnet::http
