// Where in a text the tokens stand that it was encoded to.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "bitnet/tokenizer.h"

namespace bitnet {

// Appends the spans of `ids`, which a run of ordinary text (no special token in it) was encoded to. `starts`:
// it follows no other text. `begin`: where it begins in the whole text.
void append_spans(const Tokenizer& tokenizer, std::span<const TokenId> ids, std::string_view run, bool starts,
                  std::size_t begin, std::vector<TokenSpan>& out);

}  // namespace bitnet
