// What the canary answers, and every bit of its logits, is the same on every backend and every kind of
// machine.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "diagnostics/verify.h"
#include "kernels/kernels.h"
#include "support/canary.h"

namespace bitnet {
namespace {

class CanaryDigests : public ::testing::TestWithParam<std::string> {};

TEST_P(CanaryDigests, AreThoseThatAreKnownByHeart) {
  const std::array tables{&kernels::find(GetParam())};
  const VerifyReport report = verify_canary(test::canary(), tables);
  EXPECT_TRUE(report.complete);
  EXPECT_GT(report.n_checks(), 0U);
  EXPECT_EQ(report.n_failed(), 0U);
  for (const VerifyFailure& f : report.failures) ADD_FAILURE() << f.where << ": " << f.what;
}

std::vector<std::string> backends() {
  std::vector<std::string> names;
  for (const kernels::Kernels* k : kernels::available()) names.emplace_back(k->name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Backends, CanaryDigests, ::testing::ValuesIn(backends()),
                         [](const auto& i) { return i.param; });

}  // namespace
}  // namespace bitnet
