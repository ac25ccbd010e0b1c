// How often this test program has asked for memory, for tests of code that must not.
#pragma once

#include <cstddef>

namespace bitnet::test {

// Calls of any operator new so far, by all threads.
std::size_t allocation_count();

}  // namespace bitnet::test
