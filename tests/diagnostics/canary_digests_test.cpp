// What the canary answers, and every bit of its logits, is the same on every backend and every kind of
// machine.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "diagnostics/verify.h"
#include "kernels/backends.h"
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

BITNET_FOR_EVERY_BACKEND(CanaryDigests);

}  // namespace
}  // namespace bitnet
