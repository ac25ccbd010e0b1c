#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "base/descriptor.h"
#include "base/late_library.h"
#include "bitnet/error.h"
#include "service/http/transport/listener_entry.h"
#include "service/http/transport/transport.h"

extern "C" {
extern const std::byte bitnet_http_library_begin[];
extern const std::byte bitnet_http_library_end[];
}

namespace bitnet::http {
namespace {

constexpr const char* kUse = "an HTTP server";

// A file in memory that has the library: the loader takes files alone.
Descriptor library_file() {
  Descriptor file(::memfd_create("bitnet-http", MFD_CLOEXEC));
  std::span<const std::byte> left(bitnet_http_library_begin, bitnet_http_library_end);
  while (file.get() >= 0 && !left.empty()) {
    const ssize_t n = ::write(file.get(), left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    left = left.subspan(static_cast<std::size_t>(n));
  }
  if (!left.empty()) {
    throw RuntimeError(std::string(kUse) +
                       " cannot be had: no file in memory for its library: " + std::strerror(errno));
  }
  return file;
}

// Loads it the first time, and with it the libraries that it is linked with.
decltype(bitnet_http_listener)* entry() {
  static decltype(bitnet_http_listener)* const function = [] {
    const Descriptor file = library_file();
    const LateLibrary library("/proc/self/fd/" + std::to_string(file.get()), kUse);
    decltype(bitnet_http_listener)* const found = library["bitnet_http_listener"];
    return found;
  }();
  return function;
}

}  // namespace

std::unique_ptr<Listener> make_listener(const ListenerOptions& options, ListenerCallbacks callbacks) {
  std::unique_ptr<Listener> listener(entry()(options, callbacks));
  if (listener == nullptr) throw std::bad_alloc();
  return listener;
}

}  // namespace bitnet::http
