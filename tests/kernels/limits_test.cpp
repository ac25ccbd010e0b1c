// What measures the machine: reading memory and multiplying, for every backend.
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "kernels/backends.h"
#include "support/guarded_bytes.h"

namespace bitnet::kernels {
namespace {

using Limits = EveryBackend;
BITNET_FOR_EVERY_BACKEND(Limits);

TEST_P(Limits, ReadsNothingBehindTheEnd) {
  for (const std::size_t n : kOddLengths) {
    const std::vector<std::byte> zeros(n);
    const test::GuardedBytes guarded(zeros);
    kernels().read_all(guarded.span().data(), n);
  }
}

TEST_P(Limits, CountsTheProductsOfEachRound) {
  if (kernels().int8_products == nullptr) GTEST_SKIP() << "not measured";
  const double of_one = kernels().int8_products(1);
  EXPECT_GT(of_one, 0);
  EXPECT_EQ(kernels().int8_products(10), 10 * of_one);
}

}  // namespace
}  // namespace bitnet::kernels
