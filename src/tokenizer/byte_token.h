// Tokens that stand for one byte.
#pragma once

#include <optional>
#include <string_view>

#include "bitnet/error.h"

namespace bitnet {

// The byte that SentencePiece's spelling "<0xNN>" names, with upper-case digits as it is written everywhere.
std::optional<unsigned char> parse_byte_token(std::string_view spelling);

// The error for text that a vocabulary cannot express.
UsageError no_token_for_byte(char byte);

}  // namespace bitnet
