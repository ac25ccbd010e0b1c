// Runs a test once for every backend that this CPU has, forced by name.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace bitnet::kernels {

class EveryBackend : public ::testing::TestWithParam<std::string> {
 protected:
  const Kernels& kernels() const { return find(GetParam()); }
  const Kernels& scalar() const { return find("scalar"); }
};

inline std::vector<std::string> backend_list() {
  std::vector<std::string> list;
  for (const Kernels* k : available()) list.emplace_back(k->name);
  return list;
}

inline std::vector<float> random_floats(std::size_t n, unsigned seed, float spread = 1.0F) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> v(n);
  for (float& x : v) x = normal(rng);
  return v;
}

template <typename T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Lengths around every lane and block boundary.
inline const std::vector<std::size_t> kOddLengths{1,  2,  3,  7,  8,   9,   15,  16,  17,  31,  32,
                                                  33, 63, 64, 65, 100, 127, 128, 129, 257, 1000};

}  // namespace bitnet::kernels

#define BITNET_FOR_EVERY_BACKEND(suite)                                                             \
  INSTANTIATE_TEST_SUITE_P(Backends, suite, ::testing::ValuesIn(::bitnet::kernels::backend_list()), \
                           [](const auto& i) { return i.param; })
