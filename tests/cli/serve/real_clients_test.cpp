// `bitnet serve` and the clients that people have, where these can be had.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cli/runner.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

// Skips the test where the program says by 77 that it cannot do its work here.
void expect_passes(const std::string& program, Args args) {
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
  EXPECT_TRUE(has(result.out, "skipped: there is no node here; on Debian: apt install nodejs"));
}

TEST(RealClients, AClientThatThereIsNotIsWrongUsage) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "no /bin/bash here";
  ChildOptions options;
  options.args = {BITNET_SCRIPTS "/test-clients", "wget", executable()};
  const ChildResult result = ChildProcess("/bin/bash", options).wait();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.err, "name a client"));
}

const std::string kPython = "/usr/bin/python3";

TEST(ServeLoad, NothingIsLostWhereClientsComeAndGo) {
  if (::access(kPython.c_str(), X_OK) != 0) GTEST_SKIP() << "no " << kPython << " here";
  expect_passes(kPython, {BITNET_SCRIPTS "/../bench/serve-load", "--bitnet", executable(), "--requests", "60",
                          "--clients", "8", "--distinct", "6"});
}

TEST(ServeLoad, WavesOfClientsGetTheAnswersOfRun) {
  if (::access(kPython.c_str(), X_OK) != 0) GTEST_SKIP() << "no " << kPython << " here";
  expect_passes(kPython, {BITNET_SCRIPTS "/../bench/serve-soak", "--bitnet", executable(), "--waves", "6",
                          "--clients", "6", "--distinct", "6"});
}

TEST(ServeLoad, AnAnswerThatIsNotThatOfRunIsNoticed) {
  if (::access(kPython.c_str(), X_OK) != 0) GTEST_SKIP() << "no " << kPython << " here";
  // Serves as it should, and has other answers alone.
  const TempDirectory directory;
  const std::string impostor = directory.file("bitnet");
  std::ofstream(impostor) << "#!/bin/sh\nif [ \"$1\" = run ]; then exec echo nonsense; fi\nexec '"
                          << executable() << "' \"$@\"\n";
  std::filesystem::permissions(impostor, std::filesystem::perms::owner_all);
  for (const Args& args : {Args{BITNET_SCRIPTS "/../bench/serve-load", "--requests", "4"},
                           {BITNET_SCRIPTS "/../bench/serve-soak", "--waves", "2"}}) {
    ChildOptions options;
    options.args = args;
    for (const char* more : {"--bitnet", impostor.c_str(), "--clients", "4", "--distinct", "2"}) {
      options.args.emplace_back(more);
    }
    options.timeout = std::chrono::seconds(300);
    const ChildResult result = ChildProcess(kPython, options).wait();
    EXPECT_EQ(result.exit_code, 4) << result.out << result.err;
    EXPECT_TRUE(has(result.err, "in place of 'nonsense\\n'"));
  }
}

}  // namespace
}  // namespace bitnet::test
