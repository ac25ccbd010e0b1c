// The one place that knows httplib. It is a library of its own, which the program carries inside and loads
// when it is to serve: what it is linked with costs every other command nothing.
#include <httplib.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "service/http/transport/connection.h"
#include "service/http/transport/listener_entry.h"
#include "service/http/transport/transport.h"
#include "service/http/transport/wake.h"
#include "service/http/transport/worker_pool.h"

namespace bitnet::http {
namespace {

constexpr std::size_t kMostRequests = 1000;  // of one connection
constexpr std::size_t kRefusers = 4;         // threads that tell those that are too many
constexpr int kBacklog = 128;                // connections that the system holds until they are accepted

thread_local Connection* t_connection = nullptr;  // that this thread answers
thread_local std::string t_path;                  // of the request that it answers

// Called before a request is handled. One path for all: the expressions that httplib finds its handlers by
// would be matched in as many calls within calls as a path is long. And no ranges, which it would cut out of
// every answer as often as they are asked for.
void prepare(httplib::Request& request) {
  t_path = std::exchange(request.path, "/");
  // The form in which proxies are asked, and which others may be: http://HOST/PATH.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!t_path.starts_with(scheme)) continue;
    const std::size_t slash = t_path.find('/', scheme.size());
    t_path = slash == std::string::npos ? "/" : t_path.substr(slash);
  }
  request.ranges.clear();
}

void fill_in(httplib::Response& to, HttpResponse& from) {
  to.status = from.status;
  for (const auto& [name, value] : from.headers) to.set_header(name, value);
  if (!from.close) return;
  to.set_header("Connection", "close");
  t_connection->close_after_this();
}

class SinkWriter final : public ResponseWriter {
 public:
  explicit SinkWriter(httplib::DataSink& sink) : sink_(sink) {}
  bool write(std::string_view part) override {
    return part.empty() || (sink_.write(part.data(), part.size()) && !t_connection->is_gone());
  }
  bool is_gone() const override { return t_connection->is_gone(); }

 private:
  httplib::DataSink& sink_;
};

class HttplibExchange final : public Exchange {
 public:
  HttplibExchange(const httplib::Request& request, httplib::Response& response,
                  const httplib::ContentReader* reader)
      : request_(request), response_(response), reader_(reader) {}

  const std::string& method() const override { return request_.method; }
  const std::string& path() const override { return t_path; }
  std::vector<std::string> headers(const std::string& name) const override {
    std::vector<std::string> values;
    const auto [begin, end] = request_.headers.equal_range(name);
    for (auto at = begin; at != end; ++at) values.push_back(at->second);
    return values;
  }
  BodyState read_body(std::size_t most_bytes, std::string& body) override {
    const BodyState state = read_all(most_bytes, body);
    has_read_body_ = state == BodyState::whole;
    return state;
  }
  bool is_gone() const override { return t_connection->is_gone(); }

  void respond(HttpResponse response) override {
    // A body that was not read would be taken for the next request.
    response.close = response.close || (has_body() && !has_read_body_);
    fill_in(response_, response);
    if (!response.content_type.empty()) response_.set_content(response.body, response.content_type);
  }
  void drop() override {
    t_connection->mute();
    response_.status = 204;  // which nobody sees; an error would be described, and counted
    response_.set_header("Connection", "close");
  }
  void stream(HttpResponse head, std::function<void(ResponseWriter&)> produce) override {
    const bool is_chunked = request_.version == "HTTP/1.1";
    head.close = head.close || !is_chunked || (has_body() && !has_read_body_);
    fill_in(response_, head);
    auto provide = [produce = std::move(produce)](std::size_t, httplib::DataSink& sink) {
      SinkWriter writer(sink);
      produce(writer);
      sink.done();
      return true;
    };
    if (is_chunked) {
      response_.set_chunked_content_provider(head.content_type, std::move(provide));
    } else {
      response_.set_content_provider(head.content_type, std::move(provide));
    }
  }

 private:
  bool has_body() const {
    const std::vector<std::string> lengths = headers("Content-Length");
    return request_.has_header("Transfer-Encoding") ||
           (!lengths.empty() && lengths != std::vector<std::string>{"0"});
  }

  BodyState read_all(std::size_t most_bytes, std::string& body) {
    const std::vector<std::string> lengths = headers("Content-Length");
    const std::vector<std::string> codings = headers("Transfer-Encoding");
    if (lengths.size() + codings.size() > 1) return BodyState::unreadable;
    if (lengths.empty() && codings.empty()) return BodyState::whole;  // none
    if (!lengths.empty()) {
      const std::string& digits = lengths.front();
      std::uint64_t length = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
      if (error == std::errc::result_out_of_range) return BodyState::too_large;
      if (error != std::errc{} || end != digits.data() + digits.size()) return BodyState::unreadable;
      if (length > most_bytes) return BodyState::too_large;
    }
    if (reader_ == nullptr || request_.is_multipart_form_data()) return BodyState::unreadable;
    t_connection->begin_body();
    bool is_too_large = false;
    const bool is_read = (*reader_)([&](const char* part, std::size_t size) {
      is_too_large = size > most_bytes - body.size();
      if (!is_too_large) body.append(part, size);
      return !is_too_large;
    });
    if (is_too_large || t_connection->is_too_large()) return BodyState::too_large;
    if (t_connection->is_late()) return BodyState::late;
    if (is_read) return BodyState::whole;
    return t_connection->is_gone() ? BodyState::broken : BodyState::unreadable;
  }

  const httplib::Request& request_;
  httplib::Response& response_;
  const httplib::ContentReader* reader_;
  bool has_read_body_ = false;
};

class HttplibListener final : public Listener, private httplib::Server {
 public:
  HttplibListener(const ListenerOptions& options, ListenerCallbacks callbacks)
      : options_(options), callbacks_(std::move(callbacks)) {
    new_task_queue = [this] { return new WorkerPool(options_.most_connections + kRefusers); };
    set_payload_max_length(options_.most_body_bytes);
    // Without SO_REUSEPORT, which would have two servers share an address unawares.
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_error_handler([this](const httplib::Request&, httplib::Response& response) { describe(response); });
    set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
      // It announces that the connection stays open where it does not.
      if (response.get_header_value("Connection") == "close") response.headers.erase("Keep-Alive");
    });
    const auto plain = [this](const httplib::Request& request, httplib::Response& response) {
      answer(request, response, nullptr);
    };
    const auto with_body = [this](const httplib::Request& request, httplib::Response& response,
                                  const httplib::ContentReader& reader) {
      answer(request, response, &reader);
    };
    const char* const all = "/";
    Get(all, plain).Options(all, plain).Delete(all, plain);
    Post(all, with_body).Put(all, with_body).Patch(all, with_body).Delete(all, with_body);
  }
  HttplibListener(const HttplibListener&) = delete;
  HttplibListener& operator=(const HttplibListener&) = delete;
  ~HttplibListener() override = default;

  std::string bind() override {
    if (hurry_.descriptor() < 0 || stop_.descriptor() < 0) return "no pipe can be had";
    port_ = options_.port == 0                           ? bind_to_any_port(options_.host)
            : bind_to_port(options_.host, options_.port) ? options_.port
                                                         : -1;
    if (port_ < 0) return reason_not_to_bind();
    ::listen(svr_sock_, kBacklog);  // httplib's own is as short as it was built with
    return {};
  }
  int port() const override { return port_; }
  std::size_t n_connections() const override { return n_connections_.load(std::memory_order_relaxed); }

  bool run() override {
    bool is_well = false;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return true;
      running_ = true;
    }
    is_well = listen_after_bind();
    {
      const std::lock_guard lock(mutex_);
      running_ = false;
    }
    ended_.notify_all();
    return is_well || stopping_;
  }

  void stop() override {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    hurry_.raise();
    stop_.raise();
    // httplib's stop() does nothing while it has yet to begin.
    while (running_) {
      lock.unlock();
      httplib::Server::stop();
      lock.lock();
      ended_.wait_for(lock, std::chrono::milliseconds(10), [this] { return !running_; });
    }
  }

 private:
  // Of getaddrinfo, or of the first address, for httplib does not tell.
  std::string reason_not_to_bind() const {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int error =
        ::getaddrinfo(options_.host.c_str(), std::to_string(options_.port).c_str(), &hints, &found);
    if (error != 0) return ::gai_strerror(error);
    const int socket = ::socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    const int yes = 1;
    if (socket >= 0) ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const bool is_free = socket >= 0 && ::bind(socket, found->ai_addr, found->ai_addrlen) == 0 &&
                         ::listen(socket, kBacklog) == 0;
    std::string reason = is_free ? "it could not be bound" : std::strerror(errno);
    if (socket >= 0) ::close(socket);
    ::freeaddrinfo(found);
    return reason;
  }

  bool process_and_close_socket(socket_t socket) override {
    const std::size_t n = n_connections_.fetch_add(1, std::memory_order_relaxed) + 1;
    const bool is_one_too_many = n > options_.most_connections;
    {
      Connection connection(socket, {.hurry = hurry_.descriptor(), .stop = stop_.descriptor()}, options_);
      t_connection = &connection;
      if (n >= options_.most_connections) hurry_.raise();
      if (is_one_too_many) {
        tell(connection, 503);
      } else {
        process_requests(connection);
      }
      t_connection = nullptr;
    }
    const std::size_t left = n_connections_.fetch_sub(1, std::memory_order_relaxed) - 1;
    if (left < options_.most_connections && !is_stopping()) hurry_.lower();
    return true;
  }

  void process_requests(Connection& connection) {
    for (std::size_t i = 1; i <= kMostRequests && connection.wait_for_request(); ++i) {
      bool is_closed = false;
      const bool is_last = i == kMostRequests || is_stopping();
      if (!process_one(*this, connection, is_last, is_closed)) {
        // Of a first line that came to no end httplib says nothing.
        if (connection.is_unanswered() && connection.is_too_large()) tell(connection, 414);
        if (connection.is_unanswered() && connection.is_late()) tell(connection, 408);
        break;
      }
      if (is_closed || is_last || connection.is_to_be_closed()) break;
    }
  }

  // As httplib has it, which depends on its version.
  template <typename Server>
  static bool process_one(Server& server, Connection& connection, bool is_last, bool& is_closed) {
    if constexpr (requires { server.process_request(connection, is_last, is_closed, prepare); }) {
      return server.process_request(connection, is_last, is_closed, prepare);
    } else {
      std::string remote, local;
      int remote_port = 0, local_port = 0;
      connection.get_remote_ip_and_port(remote, remote_port);
      connection.get_local_ip_and_port(local, local_port);
      if constexpr (requires {
                      server.process_request(connection, remote, 0, local, 0, is_last, is_closed, prepare);
                    }) {
        return server.process_request(connection, remote, remote_port, local, local_port, is_last, is_closed,
                                      prepare);
      } else {
        bool is_websocket = false;
        return server.process_request(connection, remote, remote_port, local, local_port, is_last, is_closed,
                                      prepare, &is_websocket);
      }
    }
  }

  void answer(const httplib::Request& request, httplib::Response& response,
              const httplib::ContentReader* reader) {
    HttplibExchange exchange(request, response, reader);
    callbacks_.handle(exchange);
  }

  // Of what httplib itself refuses.
  void describe(httplib::Response& response) {
    if (!response.body.empty()) return;
    int status = response.status;
    if (t_connection->is_too_large()) status = 431;
    if (t_connection->is_late()) status = 408;
    HttpResponse described = callbacks_.refuse(status);
    described.close = true;  // who knows what follows
    fill_in(response, described);
    response.set_content(described.body, described.content_type);
  }

  // Without having read a request.
  void tell(Connection& connection, int status) {
    const HttpResponse response = callbacks_.refuse(status);
    std::string text = "HTTP/1.1 " + std::to_string(response.status) + " Refused\r\nConnection: close\r\n";
    text += "Content-Type: " + response.content_type + "\r\n";
    text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    for (const auto& [name, value] : response.headers) text += name + ": " + value + "\r\n";
    text += "\r\n" + response.body;
    for (std::string_view left = text; !left.empty();) {
      const ssize_t n = connection.write(left.data(), left.size());
      if (n <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(n));
    }
    connection.close_after_this();
  }

  bool is_stopping() const { return stopping_.load(std::memory_order_relaxed); }

  ListenerOptions options_;
  ListenerCallbacks callbacks_;
  Wake hurry_;
  Wake stop_;
  int port_ = -1;
  std::atomic<std::size_t> n_connections_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool running_ = false;
};

}  // namespace
}  // namespace bitnet::http

extern "C" __attribute__((visibility("default"))) bitnet::http::Listener* bitnet_http_listener(
    const bitnet::http::ListenerOptions& options, bitnet::http::ListenerCallbacks& callbacks) {
  return new (std::nothrow) bitnet::http::HttplibListener(options, std::move(callbacks));
}
