// Token ids as text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bitnet/types.h"

namespace bitnet::cli {

// Ids with white space or commas between them, or a JSON array of them. `source` is for messages. Throws
// ModelError for what is neither.
std::vector<TokenId> parse_token_ids(std::string_view text, const std::string& source);

}  // namespace bitnet::cli
