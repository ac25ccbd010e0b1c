// Work that needs more memory than the process may have: refused before it begins, with both figures.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/runner.h"
#include "support/emulated.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;
class AddressSpace : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef BITNET_SANITIZED
    GTEST_SKIP() << "sanitizers take address space of their own";
#endif
    if (kIsEmulated) GTEST_SKIP() << "so does an emulator";
  }

  // The program with at most so many KiB.
  static ChildResult run_within(int kib, const Args& args) {
    ChildOptions options;
    options.args = with({"-c", "ulimit -v $0 && exec \"$@\"", std::to_string(kib), executable()}, args);
    ChildResult result = ChildProcess("/bin/sh", options).wait();
    EXPECT_FALSE(result.timed_out);
    return result;
  }
  // The last line of one that fails.
  static std::string error_within(int kib, const Args& args) { return refusal(run_within(kib, args), 1); }

  static constexpr int kEnough = 500'000;
  static constexpr const char* kLeft = "iB left under the limit of address space (ulimit -v); ";

  TempDirectory directory_;
};

TEST_F(AddressSpace, TooSmallForTheCacheIsSaidBeforeAnythingRuns) {
  const std::string requests = directory_.file("in.jsonl");
  std::ofstream(requests) << "{\"prompt\": \"What is 3+4?\"}\n";
  const std::string error =
      error_within(kEnough, {"batch", requests, "-m", kCanary, "--kv-tokens", "1000000", "-t", "1"});
  EXPECT_TRUE(error.starts_with("error: no memory for the KV cache: 1953.1 MiB needed, ")) << error;
  EXPECT_TRUE(has(error, std::string(kLeft) + "use a smaller context"));
}

// There is nothing wrong with the file: exit code 1 and not 3.
TEST_F(AddressSpace, TooSmallForTheModelIsNoRefusalOfIt) {
  const std::string model = directory_.file("large.gguf");
  fs::copy_file(kCanary, model);
  fs::resize_file(model, std::uintmax_t{1} << 30);
  const std::vector<std::pair<const char*, Args>> commands{{"run", {"-p", "a"}}, {"inspect", {}}};
  for (const auto& [command, more] : commands) {
    const std::string error = error_within(kEnough, with({command, "-m", model}, more));
    EXPECT_TRUE(error.starts_with("error: no memory for mapping " + model + ": 1024.0 MiB needed, "))
        << error;
    EXPECT_TRUE(has(error, kLeft));
  }
}

TEST_F(AddressSpace, TooSmallForTheThreadsNamesThem) {
  const std::string error = error_within(kEnough, {"run", "-m", kCanary, "-p", "a", "-t", "200"});
  EXPECT_TRUE(has(error, " of 200: "));
  EXPECT_TRUE(has(error, "; use fewer threads"));
}

TEST_F(AddressSpace, TooSmallToReadAConversionBackLeavesTheOldFile) {
  const std::string output = directory_.file("out.gguf");
  std::ofstream(output) << "old";
  std::string error;
  // Somewhere between what the program takes and what the conversion does.
  for (int kib = 15'000; kib < 60'000 && !has(error, "the new file"); kib += 500) {
    const ChildResult result =
        run_within(kib, {"convert", kCanary, "-o", output, "--type", "f16", "--force", "-t", "1"});
    if (result.exit_code == 0) break;
    EXPECT_EQ(content_of(output), "old");
    EXPECT_EQ(directory_.n_files(), 1);
    error = result.err;
  }
  EXPECT_TRUE(has(error, "error: no memory for mapping the new file, which is read back: "));
}

// From not even enough for the program to plenty.
TEST_F(AddressSpace, OfAnySizeIsEnoughOrSaidToBeTooLittle) {
  bool was_too_little = false;
  bool was_enough = false;
  for (int kib = 12'000; kib < 80'000; kib += kib / 20) {
    const ChildResult result = run_within(kib, {"run", "-m", kCanary, "-p", "a", "-n", "2", "-t", "1"});
    if (result.exit_code > 125) continue;  // it didn't begin
    if (result.exit_code == 0) {
      was_enough = true;
      continue;
    }
    EXPECT_FALSE(was_enough) << kib << result.err;
    was_too_little = true;
    EXPECT_EQ(result.exit_code, 1) << kib << result.err;
    // What is left may be more than what is wanted, and yet not to be had; with next to nothing not even the
    // figures can be found out.
    const bool says_how_much =
        has(result.err, kLeft) || has(result.err, "needed, which the system does not give");
    EXPECT_TRUE(says_how_much || has(result.err, "error: out of memory; ")) << kib << result.err;
  }
  EXPECT_TRUE(was_too_little);
  EXPECT_TRUE(was_enough);
}

}  // namespace
}  // namespace bitnet::test
