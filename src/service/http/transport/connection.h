// A connection as a stream for httplib, with limits on time and size that httplib has none for.
#pragma once

#include <httplib.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>

#include "service/http/transport/transport.h"

namespace bitnet::http {

// Descriptors that can be read from when connections are to be closed: those that wait for a request, and
// also those that are receiving one.
struct Wakes {
  int hurry = -1;
  int stop = -1;
};

class Connection final : public httplib::Stream {
 public:
  Connection(socket_t socket, Wakes wakes, const ListenerOptions& options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override;  // closes it, once the other side has had the chance to read all

  // Until a request begins. False: none came in time, or the connection was closed.
  bool wait_for_request();
  // The head has come: from here on its body is waited for.
  void begin_body();
  // The time that a request may take to arrive is over.
  bool is_late() const { return is_late_; }
  // The head is larger than it may be, or so much has come as no body's transfer takes.
  bool is_too_large() const { return is_too_large_; }
  bool is_gone() const;
  bool is_unanswered() const { return is_unanswered_; }  // the request that came last
  // Nothing more is written.
  void mute() { is_muted_ = is_to_be_closed_ = true; }
  // What follows in the stream is no request: a body that nobody read.
  void close_after_this() { is_to_be_closed_ = true; }
  bool is_to_be_closed() const { return is_to_be_closed_; }

  // As httplib wants them.
  bool is_readable() const override;
  ssize_t read(char* bytes, std::size_t size) override;
  ssize_t write(const char* bytes, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override;
  // Those that only some of its versions know.
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winconsistent-missing-override"
#endif
  bool is_writable() const;
  bool wait_readable() const;
  bool wait_writable() const;
  bool is_peer_alive() const { return !is_gone(); }
  time_t duration() const { return 0; }
#ifdef __clang__
#pragma clang diagnostic pop
#endif

 private:
  using Clock = std::chrono::steady_clock;

  bool can_read(int other, Clock::time_point deadline) const;
  bool fill(Clock::time_point deadline);

  socket_t socket_;
  Wakes wakes_;
  const ListenerOptions& options_;
  Clock::time_point deadline_{};  // of what is being received
  std::array<char, 16384> buffer_{};
  std::size_t begin_ = 0;  // in the buffer, of what was received and not read
  std::size_t end_ = 0;
  std::size_t n_bytes_ = 0;  // of the head, or of the body as it is transferred
  bool in_head_ = false;
  bool is_first_ = true;
  bool is_unanswered_ = true;
  bool is_late_ = false;
  bool is_too_large_ = false;
  bool is_to_be_closed_ = false;
  bool is_muted_ = false;
};

}  // namespace bitnet::http
