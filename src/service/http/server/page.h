// The chat page, compiled in: page.html.
#pragma once

#include <string_view>

namespace bitnet::http {

std::string_view chat_page();

}  // namespace bitnet::http
