// What this machine can do at best, measured now: the yardsticks that kernels are held against.
#pragma once

#include <cstddef>
#include <span>

namespace bitnet::bench {

// Bytes per second of `n_threads` threads that read a large array, each its own part from front to back.
double read_bandwidth(std::span<const std::byte> array, unsigned n_threads);

// Multiply-adds per second of `n_threads` threads that do nothing but 8-bit products summed in 16 bits
// (VPMADDUBSW and VPADDW on AVX2), everything in registers. 0 where there are no such instructions.
double int8_peak(unsigned n_threads);

// The single-threaded loops behind the two.
void read_all(std::span<const std::byte> array);
double int8_products(std::size_t rounds);  // returns how many multiply-adds it did

}  // namespace bitnet::bench
