#include "base/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "support/disk_calls.h"
#include "support/temp_directory.h"
#include "support/text_holds.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;
using test::content_of;
using test::has;
using test::TempDirectory;

class OutputFileTest : public testing::Test {
 protected:
  std::string path(const char* name = "out") const { return directory_.file(name); }

  const TempDirectory directory_;
};

TEST_F(OutputFileTest, HasItsNameOnlyWhenItIsWhole) {
  OutputFile file(path());
  file.write("one ");
  EXPECT_FALSE(fs::exists(path()));
  file.write("two");
  file.commit();
  EXPECT_EQ(content_of(path()), "one two");
  EXPECT_EQ(directory_.n_files(), 1);
}

TEST_F(OutputFileTest, GivenUpLeavesWhatStoodThere) {
  std::ofstream(path()) << "old";
  {
    OutputFile file(path());
    file.write("new");
    EXPECT_EQ(content_of(path()), "old");
  }
  EXPECT_EQ(content_of(path()), "old");
  EXPECT_EQ(directory_.n_files(), 1);
}

TEST_F(OutputFileTest, BehindALinkTheFileIsReplacedAndTheLinkStays) {
  std::ofstream(path("real")) << "old";
  fs::create_symlink("real", path("link"));
  OutputFile file(path("link"));
  file.write("new");
  file.commit();
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(content_of(path("real")), "new");
}

TEST_F(OutputFileTest, BehindALinkToNothingTheFileIsMadeAndTheLinkStays) {
  fs::create_symlink("made", path("one"));
  fs::create_symlink("one", path("two"));
  OutputFile file(path("two"));
  file.write("new");
  file.commit();
  EXPECT_TRUE(fs::is_symlink(path("one")));
  EXPECT_TRUE(fs::is_symlink(path("two")));
  EXPECT_EQ(content_of(path("made")), "new");
  fs::create_symlink("circle", path("circle"));
  EXPECT_THROW(const OutputFile endless(path("circle")), RuntimeError);
}

TEST_F(OutputFileTest, MayBeReadByNobodyWhoCouldNotReadTheOldOne) {
  std::ofstream(path()) << "old";
  fs::permissions(path(), fs::perms::owner_read | fs::perms::owner_write);
  OutputFile file(path());
  file.write("new");
  file.commit();
  EXPECT_EQ(fs::status(path()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(OutputFileTest, TheTemporaryFilesOfAllCanBeTakenAlong) {
  {
    const OutputFile ended(path("ended"));
    OutputFile done(path("done"));
    done.commit();
  }
  const OutputFile one(path("one"));
  const OutputFile two(path("two"));
  EXPECT_EQ(directory_.n_files(), 3);
  OutputFile::remove_all_temporaries();
  EXPECT_EQ(directory_.n_files(), 1);
  EXPECT_TRUE(fs::exists(path("done")));
}

// What a power cut leaves: in any other order it may be a name without its content.
TEST_F(OutputFileTest, IsOnTheDiskBeforeItHasItsNameAndItsNameBeforeItIsDone) {
  std::ofstream(path()) << "old";
  OutputFile file(path());
  file.write("new");
  const std::string temporary = file.temporary_name();
  const test::DiskCalls calls;
  file.commit();
  EXPECT_EQ(calls.list(),
            (std::vector<std::string>{"fsync " + temporary, "rename " + temporary + " " + path(),
                                      "fsync " + directory_.path()}));
}

TEST_F(OutputFileTest, ThatCannotBeBroughtToTheDiskLeavesTheOldOne) {
  std::ofstream(path()) << "old";
  {
    OutputFile file(path());
    file.write("new");
    const test::DiskCalls calls(EIO);
    EXPECT_THROW(file.commit(), RuntimeError);
    EXPECT_EQ(calls.list().size(), 1U);
  }
  EXPECT_EQ(content_of(path()), "old");
  EXPECT_EQ(directory_.n_files(), 1);
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
  EXPECT_TRUE(has(message_of(path("missing/out")), "missing/out: cannot make the file"));
  EXPECT_TRUE(has(message_of(directory_.path()), "Is a directory"));
  EXPECT_TRUE(has(message_of("/dev/full"), "/dev/full: cannot write the file"));
}

TEST_F(OutputFileTest, CanBeCheckedWithoutATrace) {
  std::ofstream(path()) << "old";
  OutputFile::check(path());
  OutputFile::check(path("new"));
  OutputFile::check("/dev/null");
  EXPECT_EQ(content_of(path()), "old");
  EXPECT_EQ(directory_.n_files(), 1);
  EXPECT_THROW(OutputFile::check(path("missing/out")), RuntimeError);
  EXPECT_THROW(OutputFile::check(directory_.path()), RuntimeError);
}

// The reader of a named pipe must not find it ended before anything was written.
TEST_F(OutputFileTest, ANamedPipeIsNotOpenedByTheCheck) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  OutputFile::check(path("pipe"));
  pollfd waiting{reader, POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 0), 0);  // POLLHUP once a writer came and went
  ::close(reader);
}

}  // namespace
}  // namespace bitnet
