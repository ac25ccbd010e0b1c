#include "service/http/server/page.h"

extern "C" {
extern const char bitnet_chat_page_begin[];
extern const char bitnet_chat_page_end[];
}

namespace bitnet::http {

std::string_view chat_page() { return {bitnet_chat_page_begin, bitnet_chat_page_end}; }

}  // namespace bitnet::http
