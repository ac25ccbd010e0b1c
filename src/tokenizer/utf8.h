// UTF-8, one character at a time, with Unicode's practice for ill-formed bytes.
#pragma once

#include <cstddef>
#include <string_view>

namespace bitnet {

// What stands at the front of some bytes.
struct Utf8Unit {
  enum class Kind {
    character,   // a well-formed character
    ill_formed,  // a maximal subpart of an ill-formed sequence: what one U+FFFD replaces
    unfinished,  // a prefix of a well-formed character, cut off by the end of the bytes
  };
  Kind kind;
  std::size_t length;   // in bytes, at least 1
  char32_t code_point;  // of a character; 0 otherwise
};

// Decodes the front of `bytes`, which must not be empty. Overlong forms, surrogates and values above U+10FFFF
// are ill-formed (Unicode Standard, table 3-7 and section 3.9, "U+FFFD Substitution of Maximal Subparts").
Utf8Unit decode_utf8(std::string_view bytes);

// The length of the longest well-formed front of `bytes`.
std::size_t well_formed_prefix(std::string_view bytes);

inline bool is_utf8(std::string_view bytes) { return well_formed_prefix(bytes) == bytes.size(); }

}  // namespace bitnet
