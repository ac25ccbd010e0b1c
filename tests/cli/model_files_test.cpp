// Models as users have them in their folders: split, not models at all; and what is remembered of them.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "cli/runner.h"
#include "diagnostics/sha256.h"
#include "support/parse_json.h"
#include "support/small_model.h"
#include "support/split_model.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;
class CliSplitModel : public ::testing::Test {
 protected:
  CliSplitModel() {
    const SmallModel small("llama");
    write_file(whole_, small.to_gguf().build());
    parts_ = write_parts(small, 3, directory_.file("m"));
  }

  TempDirectory directory_;
  std::string whole_ = directory_.file("whole.gguf");
  std::vector<std::string> parts_;
};

// Whatever a command says of the whole file it says of each part.
TEST_F(CliSplitModel, IsReadByEveryCommandThatReadsAModel) {
  const std::string text = directory_.file("text");
  std::ofstream(text) << std::string(200, 'a');
  for (const Args& args : std::vector<Args>{{"run", "-q", "--echo", "-p", "ab", "-n", "4"},
                                            {"tokenize", "-q", "-p", "abc"},
                                            {"detokenize", "-q", "260", "261"},
                                            {"perplexity", "-q", "-f", text, "-c", "16"},
                                            {"trace", "-q", "-p", "ab", "-n", "2"}}) {
    Args of_whole = args;
    of_whole.insert(of_whole.begin() + 1, {"-m", whole_});
    const std::string wanted = text_of(of_whole);
    EXPECT_NE(wanted, "");
    for (const std::string& part : parts_) {
      Args of_part = args;
      of_part.insert(of_part.begin() + 1, {"-m", part});
      EXPECT_EQ(text_of(of_part), wanted) << args[0];
    }
  }
  const std::string& part = parts_[1];
  EXPECT_TRUE(has(text_of({"verify", "-q", "-m", part}), "passed: all "));
  EXPECT_TRUE(has(text_of({"bench", "-q", "-m", part, "-p", "4", "-n", "2", "-r", "1"}), "tg2"));
  EXPECT_TRUE(has(text_of({"inspect", part}), "GGUF version 3, 3 files of together "));
  const auto json = parse_json(text_of({"inspect", part, "--json"}));
  EXPECT_EQ(json.at("files"), 3);
  EXPECT_EQ(json.at("loads"), true);
}

TEST_F(CliSplitModel, HasTheDigestOfItsPartsPutTogether) {
  const std::string receipt = directory_.file("receipt");
  text_of({"run", "-q", "-m", parts_[2], "-p", "ab", "-n", "1", "--receipt", receipt});
  const auto model = parse_json(content_of(receipt)).at("model");
  const std::string all = content_of(parts_[0]) + content_of(parts_[1]) + content_of(parts_[2]);
  EXPECT_EQ(model.at("sha256"), *sha256_of(std::as_bytes(std::span(all))));
  EXPECT_EQ(model.at("bytes"), all.size());
  EXPECT_TRUE(has(text_of({"verify", "-q", "--receipt", receipt}), " holds: "));
}

TEST_F(CliSplitModel, OfWhichAPartIsMissingIsRefused) {
  fs::remove(parts_[1]);
  for (const std::string command : {"run", "inspect", "tokenize"}) {
    Args args{command, "-m", parts_[0]};
    if (command != "inspect") args.insert(args.end(), {"-p", "a"});
    const ChildResult result = run_bitnet(args);
    EXPECT_EQ(result.exit_code, 3) << command;
    EXPECT_TRUE(has(result.err, "error: " + parts_[0] + ": is part 1 of 3 of a split model, and part 2, "));
  }
}

// What is remembered of files that were checked, in a place of its own.
class CliCheckedFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    using namespace std::chrono;
    const auto now = duration_cast<nanoseconds>(system_clock::now().time_since_epoch());
    const auto changed = nanoseconds(identity_of(kCanary).value().changed);
    if (now - changed < 65s) GTEST_SKIP() << kCanary << " is too young to be remembered";
  }
  // Of a run in this environment.
  static ChildResult run(const std::map<std::string, std::string>& environment) {
    ChildResult result = run_bitnet({"run", "-m", kCanary, "-p", "1+1=", "-n", "1"}, environment);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, "2");
    EXPECT_EQ(lines_of(result.err).size(), 1U) << result.err;
    return result;
  }

  TempDirectory directory_;
};

TEST_F(CliCheckedFiles, AreRememberedInTheCacheDirectory) {
  run({{"XDG_CACHE_HOME", directory_.path()}});
  const std::string list = content_of(directory_.file("bitnet/checked"));
  EXPECT_TRUE(list.starts_with("bitnet: model files that were checked\n"));
  run({{"XDG_CACHE_HOME", directory_.path()}});
  EXPECT_EQ(content_of(directory_.file("bitnet/checked")), list);
  EXPECT_EQ(fs::status(directory_.file("bitnet")).permissions(), fs::perms::owner_all);
  // Without XDG_CACHE_HOME, or with one that is no absolute path, below the home directory.
  for (const char* unset : {"", "cache"}) {
    const TempDirectory home;
    run({{"XDG_CACHE_HOME", unset}, {"HOME", home.path()}});
    EXPECT_TRUE(fs::exists(home.file(".cache/bitnet/checked")));
    EXPECT_FALSE(fs::exists("cache/bitnet"));
  }
}

TEST_F(CliCheckedFiles, AreForgottenWhereThereIsNoPlaceForThem) {
  const std::string nowhere = directory_.file("nowhere");
  for (const std::string& gone : {nowhere, nowhere + "/cache"}) {
    run({{"XDG_CACHE_HOME", gone}, {"HOME", directory_.path()}});
    run({{"XDG_CACHE_HOME", ""}, {"HOME", gone}});
    EXPECT_FALSE(fs::exists(nowhere));
  }
  run({{"XDG_CACHE_HOME", ""}, {"HOME", ""}});
  EXPECT_TRUE(directory_.is_empty());
  std::ofstream(directory_.file("bitnet")) << "a file";
  run({{"XDG_CACHE_HOME", directory_.path()}});
  EXPECT_EQ(content_of(directory_.file("bitnet")), "a file");
  fs::remove(directory_.file("bitnet"));
  fs::create_directories(directory_.file("bitnet/checked"));  // a directory in the place of the list
  run({{"XDG_CACHE_HOME", directory_.path()}});
}

TEST_F(CliCheckedFiles, AreNoneWithTheBuiltInModel) {
  EXPECT_EQ(run_bitnet({"run", "-q", "-p", "1+1=", "-n", "1"}, {{"XDG_CACHE_HOME", directory_.path()}}).out,
            "2");
  EXPECT_TRUE(directory_.is_empty());
}

}  // namespace
}  // namespace bitnet::test
