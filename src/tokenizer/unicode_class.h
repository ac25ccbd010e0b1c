// What pre-tokenizers tell apart, by Unicode 16: the version that Hugging Face's tokenizers know. It is
// compiled in, so that token ids are the same whatever libraries a machine has.
#pragma once

#include <cstdint>

namespace bitnet {

// Letters, marks and numbers are the general categories L, M and N; spaces have the property White_Space.
enum class UnicodeClass : std::uint8_t { other, letter, mark, number, space };

// `code_point` is at most U+10FFFF.
UnicodeClass unicode_class(char32_t code_point);

}  // namespace bitnet
