// Token ids as text.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/types.h"

namespace bitnet::cli {

// Ids with white space or commas between them, or a JSON array of them. `source` is for messages. Throws
// ModelError for what is neither.
std::vector<TokenId> parse_token_ids(std::string_view text, const std::string& source);

// The same for the value of an option. Throws UsageError.
std::vector<TokenId> token_ids_of(std::string_view text, const std::string& source);

// Throws UsageError for an id outside the vocabulary.
void check_token_ids(std::span<const TokenId> ids, std::size_t vocab_size);

}  // namespace bitnet::cli
