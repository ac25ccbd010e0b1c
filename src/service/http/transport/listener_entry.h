// What the library around httplib is called by.
#pragma once

#include "service/http/transport/transport.h"

extern "C" bitnet::http::Listener* bitnet_http_listener(const bitnet::http::ListenerOptions& options,
                                                        bitnet::http::ListenerCallbacks& callbacks);
