// `bitnet serve` and the clients that people have, where these can be had.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "cli/runner.h"

namespace bitnet::test {
namespace {

// Skips the test where the program says by 77 that it cannot do its work here.
void expect_passes(const std::string& program, std::vector<std::string> args) {
  ChildOptions options;
  options.args = std::move(args);
  options.timeout = std::chrono::seconds(300);
  const ChildResult result = ChildProcess(program, options).wait();
  if (result.exit_code == 77) GTEST_SKIP() << result.out;
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

void expect_client_passes(const std::string& client) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "no /bin/bash here";
  expect_passes("/bin/bash", {BITNET_SCRIPTS "/test-clients", client, executable()});
}

TEST(RealClients, NpmsOpenaiPackageHasItsAnswersAndItsErrors) { expect_client_passes("openai"); }

TEST(RealClients, CurlHasWhatAShellWants) { expect_client_passes("curl"); }

TEST(RealClients, TheChatPageTalksInChromium) { expect_client_passes("page"); }

TEST(RealClients, AreSkippedWithAWordOnWhatToInstall) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "no /bin/bash here";
  ChildOptions options;
  options.args = {BITNET_SCRIPTS "/test-clients", "openai", executable()};
  options.environment = {{"PATH", ""}};  // and so no node
  const ChildResult result = ChildProcess("/bin/bash", options).wait();
  EXPECT_EQ(result.exit_code, 77);
  EXPECT_PRED2(has, result.out, "skipped: there is no node here; on Debian: apt install nodejs");
}

TEST(RealClients, AClientThatThereIsNotIsWrongUsage) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "no /bin/bash here";
  ChildOptions options;
  options.args = {BITNET_SCRIPTS "/test-clients", "wget", executable()};
  const ChildResult result = ChildProcess("/bin/bash", options).wait();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_PRED2(has, result.err, "name a client");
}

TEST(ServeLoad, NothingIsLostWhereClientsComeAndGo) {
  const std::string python = "/usr/bin/python3";
  if (::access(python.c_str(), X_OK) != 0) GTEST_SKIP() << "no " << python << " here";
  expect_passes(python, {BITNET_SCRIPTS "/../bench/serve-load", "--bitnet", executable(), "--requests", "60",
                         "--clients", "8", "--distinct", "6"});
}

}  // namespace
}  // namespace bitnet::test
