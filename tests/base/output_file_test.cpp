#include "base/output_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "bitnet/error.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public testing::Test {
 protected:
  OutputFileTest() {
    std::string name = (fs::temp_directory_path() / "bitnet-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a directory");
    directory_ = name;
  }
  ~OutputFileTest() override { fs::remove_all(directory_); }

  std::string path(const char* name = "out") const { return (directory_ / name).string(); }
  static std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::ptrdiff_t n_files() const {
    return std::distance(fs::directory_iterator(directory_), fs::directory_iterator());
  }

  fs::path directory_;
};

TEST_F(OutputFileTest, HasItsNameOnlyWhenItIsWhole) {
  OutputFile file(path());
  file.write("one ");
  EXPECT_FALSE(fs::exists(path()));
  file.write("two");
  file.commit();
  EXPECT_EQ(content(path()), "one two");
  EXPECT_EQ(n_files(), 1);
}

TEST_F(OutputFileTest, GivenUpLeavesWhatStoodThere) {
  std::ofstream(path()) << "old";
  {
    OutputFile file(path());
    file.write("new");
    EXPECT_EQ(content(path()), "old");
  }
  EXPECT_EQ(content(path()), "old");
  EXPECT_EQ(n_files(), 1);
}

TEST_F(OutputFileTest, BehindALinkTheFileIsReplacedAndTheLinkStays) {
  std::ofstream(path("real")) << "old";
  fs::create_symlink("real", path("link"));
  OutputFile file(path("link"));
  file.write("new");
  file.commit();
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(content(path("real")), "new");
}

TEST_F(OutputFileTest, ADeviceIsWrittenToAndStays) {
  OutputFile file("/dev/null");
  file.write("gone");
  file.commit();
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(OutputFileTest, WhatCannotBeWrittenIsAnErrorThatNamesIt) {
  const auto message_of = [](const std::string& name) -> std::string {
    try {
      OutputFile file(name);
      file.write("text");
    } catch (const RuntimeError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_NE(message_of(path("missing/out")).find("missing/out: cannot make the file"), std::string::npos);
  EXPECT_NE(message_of(directory_.string()).find("Is a directory"), std::string::npos);
  EXPECT_NE(message_of("/dev/full").find("/dev/full: cannot write the file"), std::string::npos);
}

}  // namespace
}  // namespace bitnet
