#include "base/mapped_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include "bitnet/error.h"
#include "support/failing_mmap.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

std::vector<std::byte> some_bytes() { return {std::byte{1}, std::byte{2}, std::byte{3}}; }

std::string error_of(const std::string& path) {
  try {
    const MappedFile file(path);
  } catch (const ModelError& error) {
    return error.what();
  }
  return "no error";
}

TEST(MappedFile, HoldsTheBytesOfTheFile) {
  const TempFile on_disk(some_bytes());
  const MappedFile file(on_disk.path());
  EXPECT_TRUE(std::ranges::equal(file.bytes(), some_bytes()));
}

TEST(MappedFile, BytesStayInPlaceWhenItMoves) {
  const TempFile on_disk(some_bytes());
  MappedFile first(on_disk.path());
  const std::byte* const at = first.bytes().data();
  MappedFile second(std::move(first));
  EXPECT_EQ(second.bytes().data(), at);
  MappedFile third(on_disk.path());
  third = std::move(second);
  EXPECT_EQ(third.bytes().data(), at);
  EXPECT_EQ(third.bytes()[2], std::byte{3});
}

TEST(MappedFile, SaysWhatIsWrongWithAPath) {
  EXPECT_EQ(error_of("/no/such/model.gguf"),
            "/no/such/model.gguf: cannot open the file: No such file or directory; check the path");
  const std::string directory = std::filesystem::temp_directory_path().string();
  EXPECT_EQ(error_of(directory), directory + ": is a directory; name the model file inside it");
  EXPECT_TRUE(has(error_of("/dev/null"), "/dev/null: is a pipe or device"));
  const TempFile empty({});
  EXPECT_TRUE(has(error_of(empty.path()), "the file is empty"));
}

TEST(MappedFile, IsReadIntoMemoryWhereItCannotBeMapped) {
  std::vector<std::byte> bytes(std::size_t{40} << 20);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7919 >> 8);
  const TempFile on_disk(bytes);
  for (const int error : {ENODEV, EINVAL, ENOSYS, EOPNOTSUPP, EACCES, EPERM}) {
    const FailingMmap failing(error);
    std::vector<double> asked;
    MappedFile file(on_disk.path(), [&](double fraction) {
      asked.push_back(fraction);
      return true;
    });
    EXPECT_EQ(file.why_read(), std::generic_category().message(error));
    EXPECT_EQ(asked, (std::vector<double>{0, 0.4, 0.8}));
    EXPECT_EQ(file.identity(), identity_of(on_disk.path()));
    file.populate(file.bytes());
    file.give_back(file.bytes());  // must not lose what cannot be had again
    const MappedFile moved(std::move(file));
    ASSERT_EQ(moved.bytes().size(), bytes.size());
    EXPECT_EQ(std::memcmp(moved.bytes().data(), bytes.data(), bytes.size()), 0);
  }
  EXPECT_EQ(MappedFile(on_disk.path()).why_read(), "");
}

TEST(MappedFile, ReadingStopsWhenTold) {
  const TempFile on_disk(some_bytes());
  const FailingMmap failing(ENODEV);
  EXPECT_THROW(MappedFile(on_disk.path(), [](double) { return false; }), RuntimeError);
}

// The file is as good as it was.
TEST(MappedFile, IsAFailureAndNoRefusalWhereMappingFailsForWantOfMemory) {
  const TempFile on_disk(some_bytes());
  const FailingMmap failing(ENOMEM);
  try {
    const MappedFile file(on_disk.path());
    FAIL() << "it was mapped";
  } catch (const RuntimeError& e) {
    EXPECT_TRUE(std::string(e.what()).starts_with("no memory for mapping " + on_disk.path() + ": "));
  }
}

// Each of what a checker goes by changes when a file is written to or replaced.
TEST(MappedFile, IdentityTellsAFileThatWasChanged) {
  const TempDirectory directory;
  const std::string path = directory.file("f");
  const auto write = [](const std::string& name, const std::string& text) {
    std::ofstream(name, std::ios::binary) << text;
  };
  EXPECT_FALSE(identity_of(path).has_value());
  write(path, "abc");
  const auto first = identity_of(path);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(identity_of(path), first);
  EXPECT_EQ(first->size, 3U);
  const std::array<timespec, 2> long_ago{timespec{1000, 5}, timespec{1000, 7}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), long_ago.data(), 0), 0);
  const auto touched = identity_of(path);
  EXPECT_NE(touched, first);
  EXPECT_EQ(touched->modified, 1'000'000'000'007);
  write(directory.file("g"), "abc");
  ASSERT_EQ(::utimensat(AT_FDCWD, directory.file("g").c_str(), long_ago.data(), 0), 0);
  std::filesystem::rename(directory.file("g"), path);
  EXPECT_NE(identity_of(path), touched);
  EXPECT_EQ(identity_of(path)->modified, touched->modified);
  write(path, "abcd");
  EXPECT_EQ(identity_of(path)->size, 4U);
}

TEST(MappedFile, EscapesThePathInItsMessage) {
  EXPECT_TRUE(error_of("no\x1b[31m\nfile").starts_with("no\\x1b[31m\\nfile: cannot open"))
      << error_of("no\x1b[31m\nfile");
}

TEST(MappedFile, ANamedPipeIsRefusedAndNotWaitedFor) {
  const TempFile place({});
  ::unlink(place.path().c_str());
  ASSERT_EQ(::mkfifo(place.path().c_str(), 0600), 0);
  EXPECT_TRUE(has(error_of(place.path()), "is a pipe or device"));
}

TEST(MappedFile, AFileThatMayNotBeReadIsRefused) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const TempFile on_disk(some_bytes());
  ASSERT_EQ(::chmod(on_disk.path().c_str(), 0), 0);
  EXPECT_TRUE(has(error_of(on_disk.path()), "give this user permission"));
}

}  // namespace
}  // namespace bitnet::test
