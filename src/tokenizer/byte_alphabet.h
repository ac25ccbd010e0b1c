// GPT-2's printable alias of every byte value, in which byte-level vocabularies and merges are written.
//
// Bytes 33-126, 161-172 and 174-255 stand for themselves as code points; the 68 others are numbered from
// U+0100 on in their order (so a space is U+0120).
#pragma once

#include <string>
#include <string_view>

namespace bitnet {

// Appends the UTF-8 of the alias of each byte.
void append_aliases(std::string_view bytes, std::string& out);

// Appends the bytes whose aliases make up `piece`. What is not an alias stands for itself.
void append_aliased_bytes(std::string_view piece, std::string& out);

}  // namespace bitnet
