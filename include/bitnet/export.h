// What is to be seen of the shared library.
#pragma once

// `namespace BITNET_API bitnet {`: types that are declared in these braces can be used from outside.
// Functions have a BITNET_API of their own: Clang looks for it where they are defined too. Everything else in
// the library is hidden.
#define BITNET_API [[gnu::visibility("default")]]
