// What is to be seen of the shared library.
#pragma once

// `namespace BITNET_API bitnet {`: what is declared in these braces can be called from outside. Everything
// else in the library is hidden.
#define BITNET_API [[gnu::visibility("default")]]
