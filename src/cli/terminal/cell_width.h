// How much room a character takes on a terminal.
#pragma once

#include <cstddef>

namespace bitnet::cli {

// The C library measures and converts characters by the locale. Without one that knows UTF-8, C.UTF-8 does.
void choose_locale();

// Columns: 0 for a mark that is drawn over the character before it, 2 for an ideograph or an emoji. Asks for
// choose_locale() first.
std::size_t cell_width(char32_t c);

}  // namespace bitnet::cli
