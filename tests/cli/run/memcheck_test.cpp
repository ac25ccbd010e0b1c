// The way to a token under valgrind, where there is one; scripts/valgrind goes further.
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "cli/runner.h"

namespace bitnet::test {
namespace {

const std::string kValgrind = "/usr/bin/valgrind";

// By the scalar kernels: valgrind does not know all instructions that the others use.
ChildResult run_under_valgrind(const Args& args, const std::string& requests = {}) {
  ChildOptions options;
  options.args = with(
      {"-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite", executable()},
      args);
  options.environment = {{"BITNET_BACKEND", "scalar"}, {"BITNET_THREADS", "2"}};
  options.stdin_text = requests;
  return ChildProcess(kValgrind, options).wait();
}

class Memcheck : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef BITNET_SANITIZED
    GTEST_SKIP() << "sanitizers do not run under valgrind";
#endif
    if (::access(kValgrind.c_str(), X_OK) != 0) GTEST_SKIP() << "no " << kValgrind << " here";
  }
};

TEST_F(Memcheck, FindsNothingWhereATokenIsMade) {
  const Args run{"run", "-q", "-n", "3", "The capital of France is"};
  const ChildResult result = run_under_valgrind(run);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, text_of(run));
}

TEST_F(Memcheck, FindsNothingWhereSequencesShareTheirBeginning) {
  const ChildResult result = run_under_valgrind(
      {"batch", "-q", "-n", "2", "-"}, "{\"prompt\": \"The sea is\"}\n{\"prompt\": \"The sea is not\"}\n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(lines_of(result.out).size(), 2U);
}

}  // namespace
}  // namespace bitnet::test
