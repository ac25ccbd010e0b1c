// Loops that do one thing as fast as NEON lets them: what kernels are held against.
#pragma once

#include <cstddef>

namespace bitnet::kernels::neon {

// Reads n bytes and forgets them.
void read_all(const std::byte* data, std::size_t n);

// 8-bit products summed in 16 bits (SMLAL), everything in registers. Returns how many multiply-adds it did.
double int8_products(std::size_t rounds);

}  // namespace bitnet::kernels::neon
