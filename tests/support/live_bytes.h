// A program that links this counts the bytes it holds through operator new. For programs of one thread.
#pragma once

#include <cstddef>

namespace bitnet::test {

std::size_t live_bytes();  // held now, by the allocator's count
std::size_t peak_bytes();  // the most held since reset_peak()
void reset_peak();

}  // namespace bitnet::test
