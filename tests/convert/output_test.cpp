// The files that a conversion writes: whole or not at all, in parts, and never over what they come from.
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "convert/converted.h"
#include "gguf/gguf.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;
using convert::ConvertReport;

const std::string kWhole = BITNET_MODELS "/canary.gguf";

TEST(ConvertedFiles, AreSplitAndJoinedToTheSameBytes) {
  const TempDirectory directory;
  const std::string split = directory.file("m.gguf");
  const ConvertReport parts = convert_file(kWhole, split, {.plan = {}, .split = {.n_parts = 5}});
  ASSERT_EQ(parts.outputs.size(), 5U);
  EXPECT_EQ(parts.outputs.back(), directory.file("m-00005-of-00005.gguf"));
  EXPECT_EQ(directory.n_files(), 5);
  for (const std::string& part : parts.outputs) {
    const std::string joined = directory.file("joined.gguf");
    EXPECT_TRUE(convert_file(part, joined, {.plan = {}, .split = {}, .force = true}).is_lossless());
    EXPECT_EQ(content_of(joined), content_of(kWhole));
  }
  const gguf::File read = gguf::File::open(parts.outputs[2]);
  EXPECT_EQ(read.n_parts(), 5U);
  EXPECT_EQ(read.part(3).n_keys(), 3U);  // split.*
}

TEST(ConvertedFiles, KeepToTheSizeOfParts) {
  const TempDirectory directory;
  constexpr std::uint64_t kMost = 200'000;
  const ConvertReport parts =
      convert_file(kWhole, directory.file("m.gguf"), {.plan = {}, .split = {.part_bytes = kMost}});
  ASSERT_GT(parts.outputs.size(), 3U);
  const gguf::File read = gguf::File::open(parts.outputs.front());
  for (std::size_t i = 0; i < read.n_parts(); ++i) {
    std::uint64_t bytes = 0;
    std::size_t n = 0;
    for (const gguf::Tensor& t : read.tensors()) {
      if (t.part != i) continue;
      bytes += t.extent.size();
      ++n;
    }
    EXPECT_TRUE(bytes <= kMost || n == 1) << i;
  }
}

TEST(ConvertedFiles, AreSplitAgainInOtherParts) {
  const TempDirectory directory;
  const ConvertReport three =
      convert_file(kWhole, directory.file("m.gguf"), {.plan = {}, .split = {.n_parts = 3}});
  const ConvertReport two = convert_file(three.outputs[1], three.outputs[0],
                                         {.plan = {.type = type_named("tq1_0")}, .split = {.n_parts = 2}});
  EXPECT_EQ(two.outputs.front(), directory.file("m-00001-of-00002.gguf"));
  convert_to(two.outputs[0], directory.file("back"), "i2_s");
  EXPECT_EQ(content_of(directory.file("back")), content_of(kWhole));
}

TEST(ConvertedFiles, CannotBeMorePartsThanTensors) {
  const TempDirectory directory;
  EXPECT_THROW(convert_file(kWhole, directory.file("m.gguf"), {.plan = {}, .split = {.n_parts = 1000}}),
               UsageError);
  EXPECT_TRUE(directory.is_empty());
}

TEST(ConvertedFiles, AreNeverWrittenOverTheirSource) {
  const TempDirectory directory;
  const std::string source = directory.file("m.gguf");
  fs::copy_file(kWhole, source);
  fs::create_symlink(source, directory.file("link.gguf"));
  fs::create_hard_link(source, directory.file("twin.gguf"));
  const ConvertReport parts =
      convert_file(kWhole, directory.file("p.gguf"), {.plan = {}, .split = {.n_parts = 2}});
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{source, source},
                                                        {source, directory.file("link.gguf")},
                                                        {directory.file("link.gguf"), source},
                                                        {source, directory.file("twin.gguf")},
                                                        {parts.outputs[0], parts.outputs[1]}}) {
    EXPECT_THROW(convert_file(from, to, {.plan = {}, .split = {}, .force = true}), UsageError) << to;
    EXPECT_EQ(content_of(source), content_of(kWhole));
  }
  // Parts that would take the names of the source's.
  EXPECT_THROW(convert_file(parts.outputs[0], directory.file("p.gguf"),
                            {.plan = {}, .split = {.n_parts = 2}, .force = true}),
               UsageError);
}

TEST(ConvertedFiles, ReplaceOthersOnlyWhenTold) {
  const TempDirectory directory;
  const std::string to = directory.file("to.gguf");
  write_bytes(to, {});
  EXPECT_THROW(convert_file(kWhole, to), UsageError);
  EXPECT_EQ(content_of(to), "");
  convert_file(kWhole, to, {.plan = {}, .split = {}, .force = true});
  EXPECT_EQ(content_of(to), content_of(kWhole));
  EXPECT_EQ(directory.n_files(), 1);
}

TEST(ConvertedFiles, CannotBeDevicesOrFolders) {
  const TempDirectory directory;
  for (const std::string& to : {std::string("/dev/null"), directory.path()}) {
    EXPECT_THROW(convert_file(kWhole, to, {.plan = {}, .split = {}, .force = true}), UsageError) << to;
  }
  EXPECT_THROW(convert_file(kWhole, "/nowhere/at/all.gguf"), RuntimeError);
}

TEST(ConvertedFiles, AreNotThereWhenTheWorkWasEnded) {
  const TempDirectory directory;
  const std::string to = directory.file("to.gguf");
  write_bytes(to, std::as_bytes(std::span("old")));
  const std::string old = content_of(to);
  ThreadPool pool(1);
  std::vector<std::string> notes;
  const auto source = convert::open_source(kWhole, {}, pool, notes);
  for (const std::string_view at : {"writing", "reading back"}) {
    EXPECT_THROW(
        convert::convert(*source, to, {.plan = {.type = type_named("tq1_0")}, .split = {}, .force = true},
                         pool, [&](double, std::string_view phase) { return phase != at; }),
        RuntimeError);
    EXPECT_EQ(content_of(to), old);
    EXPECT_EQ(directory.n_files(), 1);
  }
}

TEST(ConvertedFiles, AreNotThereAfterADryRun) {
  const TempDirectory directory;
  const ConvertReport report =
      convert_file(kWhole, directory.file("to.gguf"),
                   {.plan = {.type = type_named("tq2_0")}, .split = {}, .dry_run = true});
  EXPECT_FALSE(report.is_written);
  EXPECT_GT(report.output_bytes, 1'000'000U);
  EXPECT_TRUE(directory.is_empty());
}

}  // namespace
}  // namespace bitnet::test
