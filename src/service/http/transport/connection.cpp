#include "service/http/transport/connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bitnet::http {
namespace {

using std::chrono::milliseconds;

// How long the other side may take to read what it was told before it is cut off.
constexpr milliseconds kParting{2000};

// How long a connection that was just opened need not give way to others.
constexpr milliseconds kFirstBytes{1000};

// Chunks of a byte each take six, and there may be something around them.
constexpr std::size_t kTransferPerByte = 8;
constexpr std::size_t kTransferAround = 65536;

int left_until(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<milliseconds::rep>(left.count(), 0, 1 << 30));
}

// Of the events, those that came before the time was over.
short wait_for(int socket, short events, int ms) {
  pollfd one{socket, events, 0};
  int n = 0;
  do {
    n = ::poll(&one, 1, ms);
  } while (n < 0 && errno == EINTR);
  return n > 0 ? one.revents : static_cast<short>(0);
}

// Of send, where it must be told for each: a connection that is gone is no signal.
#ifdef MSG_NOSIGNAL
constexpr int kNoSignal = MSG_NOSIGNAL;
#else
constexpr int kNoSignal = 0;
#endif

void address_of(int (*ask)(int, sockaddr*, socklen_t*), int socket, std::string& ip, int& port) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (ask(socket, any, &size) != 0) return;
  if (address.ss_family == AF_INET) {
    port = ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  } else if (address.ss_family == AF_INET6) {
    port = ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  }
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(any, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) ip = text.data();
}

}  // namespace

Connection::Connection(socket_t socket, Wakes wakes, const ListenerOptions& options)
    : socket_(socket), wakes_(wakes), options_(options) {
  const int yes = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // tokens are small and must not wait
#ifdef SO_NOSIGPIPE
  ::setsockopt(socket_, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes);
#endif
}

Connection::~Connection() {
  if (is_to_be_closed_ || is_late_ || is_too_large_) {
    // Closing a socket with something unread in it would throw away what the other side has yet to read.
    ::shutdown(socket_, SHUT_WR);
    const auto deadline = Clock::now() + kParting;
    while (wait_for(socket_, POLLIN, left_until(deadline)) != 0) {
      const ssize_t n = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (n <= 0 || left_until(deadline) == 0) break;
    }
  }
  ::close(socket_);
}

bool Connection::wait_for_request() {
  const auto deadline = Clock::now() + (is_first_ ? options_.receive_time : options_.idle_time);
  // One that has just been opened is not yet idle.
  if (begin_ == end_ && is_first_) can_read(wakes_.stop, std::min(deadline, Clock::now() + kFirstBytes));
  if (begin_ == end_ && !can_read(wakes_.hurry, deadline)) return false;
  if (begin_ == end_ && !fill(deadline)) return false;
  is_first_ = false;
  deadline_ = Clock::now() + options_.receive_time;
  in_head_ = true;
  is_unanswered_ = true;
  n_bytes_ = 0;
  return true;
}

void Connection::begin_body() {
  in_head_ = false;
  n_bytes_ = 0;
  deadline_ = Clock::now() + options_.receive_time;
}

// False: nothing came in time, or before the other descriptor could be read.
bool Connection::can_read(int other, Clock::time_point deadline) const {
  std::array<pollfd, 2> waits{pollfd{socket_, POLLIN, 0}, pollfd{other, POLLIN, 0}};
  int n = 0;
  do {
    n = ::poll(waits.data(), waits.size(), left_until(deadline));
  } while (n < 0 && errno == EINTR);
  return n > 0 && waits[0].revents != 0;
}

// False: the connection ended, or nothing came in time.
bool Connection::fill(Clock::time_point deadline) {
  for (;;) {
    // What comes a little at a time is late as well.
    if (!can_read(wakes_.stop, deadline) || Clock::now() > deadline) {
      is_late_ = true;
      return false;
    }
    const ssize_t n = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n > 0) {
      begin_ = 0;
      end_ = static_cast<std::size_t>(n);
      return true;
    }
    if (n == 0 || (errno != EINTR && errno != EAGAIN)) return false;
  }
}

ssize_t Connection::read(char* bytes, std::size_t size) {
  if (is_late_ || is_too_large_) return -1;
  if (begin_ == end_ && !fill(deadline_)) return is_late_ ? -1 : 0;
  const std::size_t n = std::min(size, end_ - begin_);
  n_bytes_ += n;
  is_too_large_ = n_bytes_ > (in_head_ ? options_.most_header_bytes
                                       : kTransferAround + kTransferPerByte * options_.most_body_bytes);
  if (is_too_large_) return -1;
  std::memcpy(bytes, buffer_.data() + begin_, n);
  begin_ += n;
  return static_cast<ssize_t>(n);
}

ssize_t Connection::write(const char* bytes, std::size_t size) {
  is_unanswered_ = false;
  if (is_muted_) return -1;
  const auto deadline = Clock::now() + options_.stall_time;
  for (;;) {
    const ssize_t n = ::send(socket_, bytes, size, MSG_DONTWAIT | kNoSignal);
    if (n >= 0) return n;
    if (errno != EINTR && errno != EAGAIN) return -1;
    if (wait_for(socket_, POLLOUT, left_until(deadline)) == 0) return -1;
  }
}

bool Connection::is_gone() const {
#ifdef POLLRDHUP
  return (wait_for(socket_, POLLRDHUP, 0) & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
#else
  // An end that has something before it is not seen.
  char next = 0;
  return (wait_for(socket_, POLLIN, 0) & (POLLIN | POLLHUP | POLLERR)) != 0 &&
         ::recv(socket_, &next, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
#endif
}

bool Connection::is_readable() const { return begin_ != end_ || wait_for(socket_, POLLIN, 0) != 0; }
bool Connection::wait_readable() const {
  return begin_ != end_ || wait_for(socket_, POLLIN, left_until(deadline_)) != 0;
}
bool Connection::is_writable() const { return wait_writable(); }
bool Connection::wait_writable() const {
  const auto ms = static_cast<int>(options_.stall_time.count());
  return (wait_for(socket_, POLLOUT, ms) & POLLOUT) != 0 && !is_gone();
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  address_of(::getpeername, socket_, ip, port);
}
void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  address_of(::getsockname, socket_, ip, port);
}

// httplib wants it to refuse what select() could not wait for; here poll() does.
socket_t Connection::socket() const { return std::min(socket_, FD_SETSIZE - 1); }

}  // namespace bitnet::http
