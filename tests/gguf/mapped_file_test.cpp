#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "bitnet/error.h"
#include "support/temp_file.h"

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
  EXPECT_NE(error_of("/dev/null").find("/dev/null: is a pipe or device"), std::string::npos);
  const TempFile empty({});
  EXPECT_NE(error_of(empty.path()).find("the file is empty"), std::string::npos);
}

TEST(MappedFile, EscapesThePathInItsMessage) {
  EXPECT_TRUE(error_of("no\x1b[31m\nfile").starts_with("no\\x1b[31m\\nfile: cannot open"))
      << error_of("no\x1b[31m\nfile");
}

TEST(MappedFile, ANamedPipeIsRefusedAndNotWaitedFor) {
  const TempFile place({});
  ::unlink(place.path().c_str());
  ASSERT_EQ(::mkfifo(place.path().c_str(), 0600), 0);
  EXPECT_NE(error_of(place.path()).find("is a pipe or device"), std::string::npos);
}

TEST(MappedFile, AFileThatMayNotBeReadIsRefused) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const TempFile on_disk(some_bytes());
  ASSERT_EQ(::chmod(on_disk.path().c_str(), 0), 0);
  EXPECT_NE(error_of(on_disk.path()).find("give this user permission"), std::string::npos);
}

}  // namespace
}  // namespace bitnet::test
