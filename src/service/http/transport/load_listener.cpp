#include <cstddef>
#include <new>
#include <span>

#include "base/late_library.h"
#include "service/http/transport/listener_entry.h"
#include "service/http/transport/transport.h"

extern "C" {
extern const std::byte bitnet_http_library_begin[];
extern const std::byte bitnet_http_library_end[];
}

namespace bitnet::http {
namespace {

// Loads it the first time, and with it the libraries that it is linked with.
decltype(bitnet_http_listener)* entry() {
  static decltype(bitnet_http_listener)* const function = [] {
    const LateLibrary library(std::span(bitnet_http_library_begin, bitnet_http_library_end),
                              "an HTTP server");
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
