// The files of records: read back whatever their size, written by one process at a time.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <string>

#include "base/descriptor.h"
#include "bitnet/error.h"
#include "service/batch/batch_file.h"
#include "service/batch/batch_merge.h"
#include "service/batch/line_list.h"
#include "support/failing_flock.h"
#include "support/temp_directory.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

using service::BatchFile;
using service::BatchMerge;
using service::Earlier;

std::string record(std::size_t line, const std::string& rest = R"("text":"")") {
  return R"({"schema":"bitnet.batch","version":1,"program":"bitnet","commit":"c","line":)" +
         std::to_string(line) + R"(,"settings":"s","key":"k",)" + rest + "}\n";
}

class BatchFiles : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_.file(name), std::ios::binary) << text;
    return directory_.file(name);
  }
  static std::string merged(const BatchMerge& merge) {
    std::string all;
    merge.write([&](std::string_view text) { all += text; });
    return all;
  }
  template <typename Action>
  static std::string refusal(const Action& action) {
    try {
      action();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }

  TempDirectory directory_;
};

// As the probabilities of many tokens make them.
TEST_F(BatchFiles, AreReadBackHoweverManyValuesARecordHas) {
  std::string numbers = "1";
  for (int i = 0; i < 1'200'000; ++i) numbers += ",1";
  const std::string text = record(2, R"("logprobs":[[)" + numbers + "]]") + record(1);
  const std::string path = write("out", text);
  const BatchFile file(path, BatchFile::Use::resume);
  EXPECT_EQ(file.earlier(2, "k"), Earlier::answer);
  EXPECT_EQ(file.earlier(1, "k"), Earlier::answer);
  EXPECT_EQ(file.earlier(3, "k"), Earlier::nothing);
}

TEST_F(BatchFiles, AreOfOneProcessWhereTheFileSystemHasLocks) {
  const std::string path = write("out", record(1));
  {
    const BatchFile file(path, BatchFile::Use::resume);
    const auto again = [&] { const BatchFile other(path, BatchFile::Use::resume); };
    EXPECT_TRUE(has(refusal(again), "another process is writing to it"));
    EXPECT_NE(refusal([&] { const BatchMerge merge({path}, {}); }).find("another process"),
              std::string::npos);
  }
  for (const int error : {ENOSYS, ENOLCK, EOPNOTSUPP}) {
    const FailingFlock none(error);
    EXPECT_EQ(refusal([&] { const BatchFile file(path, BatchFile::Use::resume); }), "");
    EXPECT_EQ(merged(BatchMerge({path}, {})), record(1));
  }
}

TEST_F(BatchFiles, AreMadeWhenTheWorkBegins) {
  const std::string path = directory_.file("out");
  BatchFile file(path, BatchFile::Use::begin);
  EXPECT_TRUE(directory_.is_empty());
  EXPECT_NE(refusal([&] { const BatchFile other(directory_.file("no/out"), BatchFile::Use::begin); }), "");
  BatchFile late(path, BatchFile::Use::begin);
  file.start();
  file.write(record(1));
  EXPECT_NE(refusal([&] { late.start(); }).find("another process"), std::string::npos);
  EXPECT_EQ(content_of(path), record(1));
}

TEST_F(BatchFiles, AreJoinedWhenTheyAreWhole) {
  const std::string first = write("first", record(3) + record(1));
  const std::string second = write("second", record(2) + record(3));
  EXPECT_EQ(merged(BatchMerge({first, second}, {})), record(1) + record(2) + record(3));
  for (const std::size_t size : {std::size_t{1}, std::size_t{30}, record(4).size() - 1}) {
    const std::string torn = write("torn", record(2) + record(4).substr(0, size));
    EXPECT_NE(refusal([&] {
                const BatchMerge merge({first, torn}, {});
              }).find("is not whole"),
              std::string::npos)
        << size;
  }
  EXPECT_NE(refusal([&] {
              const BatchMerge merge({first, "/dev/null"}, {});
            }).find("no regular file"),
            std::string::npos);
  const BatchMerge merge({first, second}, {});
  write("first", record(1));
  EXPECT_NE(refusal([&] { merged(merge); }).find("was changed"), std::string::npos);
}

TEST_F(BatchFiles, AreNothingButRecords) {
  const auto refused = [&](const std::string& text) {
    const std::string path = write("out", text);
    const std::string why = refusal([&] { const BatchFile file(path, BatchFile::Use::resume); });
    EXPECT_EQ(content_of(path), text);
    return why.find("is no record") != std::string::npos;
  };
  EXPECT_TRUE(refused("my diary"));
  EXPECT_TRUE(refused("\n" + record(1)));
  EXPECT_TRUE(refused(record(1) + "\n" + record(2)));
  EXPECT_TRUE(refused(record(0)));
  EXPECT_TRUE(refused(record(1, R"("text":")")));
  EXPECT_TRUE(refused(record(1).replace(record(1).find(R"("key")"), 5, R"("yek")")));
  EXPECT_TRUE(refused(record(1).replace(record(1).find("\"version\":1"), 11, "\"version\":2")));
  EXPECT_FALSE(refused(record(1)));
  EXPECT_FALSE(refused(record(1) + R"({"sch)"));
}

TEST(LineList, NamesNoMoreThanAMessageCanBear) {
  service::LineList lines;
  EXPECT_TRUE(lines.is_empty());
  lines.add(3);
  lines.add(17, 19);
  lines.add(20);
  EXPECT_EQ(lines.text(), "3, 17-20");
  for (std::size_t i = 0; i < 50; ++i) lines.add(100 + 2 * i);
  EXPECT_EQ(lines.text(), "3, 17-20, 100, 102, 104, 106, 108, 110, 112, 114 and 42 more");
}

}  // namespace
}  // namespace bitnet::test
