// Which tokens byte-level BPE makes of their own spelling.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace bitnet::convert {

// How many normal tokens merging their characters, the best merge first, does not lead to. Where it is none,
// taking a word that is a token as it is and merging it are the same.
std::size_t count_unreached(const std::vector<std::string>& tokens, const std::vector<TokenType>& types,
                            const std::vector<std::string>& merges);

}  // namespace bitnet::convert
