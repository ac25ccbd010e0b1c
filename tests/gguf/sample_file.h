// What the tests of hostile files share: a small valid file with one of everything, and a walk over all a
// parsed file gives out.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "gguf/gguf.h"
#include "support/gguf_builder.h"

namespace bitnet::test {

// Keys of every value type, arrays of every element type, and tensors "a" (F32 {5}), "b" (I2_S {128, 2}) and
// "c" (F16 {3, 2, 2, 1}).
GgufBuilder sample_builder();

// Reads everything reachable, so that a sanitizer sees any access outside the file. Gives a number that
// depends on all of it.
std::size_t walk(const gguf::File& file);

// Parses and walks a copy of `bytes` behind which nothing can be read. The message of the ModelError; empty
// when the file is accepted. Any other exception passes through.
std::string refusal_of_file(std::span<const std::byte> bytes);

}  // namespace bitnet::test
