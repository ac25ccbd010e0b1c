// Models as they come in files: split, and on file systems that cannot map them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "model/inspect/inspection.h"
#include "model/model_impl.h"
#include "support/failing_mmap.h"
#include "support/small_model.h"
#include "support/split_model.h"
#include "support/temp_directory.h"
#include "support/temp_file.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

const std::vector<TokenId> kIds{TokenId{4}, TokenId{7}, TokenId{250}};

std::string refusal_of(const std::string& path) {
  try {
    Model::load(path);
  } catch (const ModelError& e) {
    return e.what();
  }
  return "no error";
}

TEST(SplitModel, GivesTheLogitsOfTheWholeOneWhicheverPartIsNamed) {
  const SmallModel small("llama");
  const LoadedModel whole(small);
  const TempDirectory directory;
  for (const std::size_t n : {2U, 3U, 5U}) {
    const std::vector<std::string> paths = write_parts(small, n, directory.file("m"));
    std::uint64_t bytes = 0;
    for (const std::string& path : paths) bytes += std::filesystem::file_size(path);
    for (const std::string& path : paths) {
      for (const WeightMemory weights : {WeightMemory::mmap, WeightMemory::repack}) {
        const Model model = Model::load(path, {.n_threads = 2, .weights = weights});
        EXPECT_EQ(logits(model, kIds), logits(whole.model, kIds));
        EXPECT_EQ(model.info().file, paths.front());
        EXPECT_EQ(model.info().n_files, n);
        EXPECT_EQ(model.info().file_bytes, bytes);
        EXPECT_GT(model.impl().weight_memory().size(), 0U);
      }
    }
  }
}

TEST(SplitModel, IsRefusedByTheNameOfThePartWhereTheFaultIs) {
  SmallModel small("llama");
  const TempDirectory directory;
  small.tensors().back().data.resize(4);
  const std::vector<std::string> cut = write_parts(small, 3, directory.file("cut"));
  const std::string message = refusal_of(cut.front());
  EXPECT_TRUE(message.starts_with(cut.back() + ": ")) << message;
  EXPECT_TRUE(has(message, small.tensors().back().name));

  SmallModel broken("llama");
  broken.tensor("blk.1.ffn_down.weight").data[5] = std::byte{0xFF};
  const std::vector<std::string> paths = write_parts(broken, 3, directory.file("broken"));
  EXPECT_TRUE(
      refusal_of(paths.front()).starts_with(paths.back() + ": tensor blk.1.ffn_down.weight: element "))
      << refusal_of(paths.front());
}

TEST(SplitModel, KeepsTheInt8HeadBesideItsFirstPart) {
  const TempDirectory directory;
  const std::vector<std::string> paths = write_parts(SmallModel("llama"), 3, directory.file("m"));
  const LoadOptions options{.head = HeadKind::int8, .cache_head = true};
  EXPECT_EQ(Model::load(paths[2], options).info().head.cache.file, paths[0] + ".int8-head");
  EXPECT_TRUE(Model::load(paths[1], options).info().head.cache.used);
}

TEST(SplitModel, IsInspectedAsOne) {
  const SmallModel small("llama");
  const TempDirectory directory;
  const std::vector<std::string> paths = write_parts(small, 3, directory.file("m"));
  const Inspection in = inspect({.path = paths[1], .bytes = {}}, 1);
  EXPECT_TRUE(in.is_usable()) << in.refusal.value_or("");
  EXPECT_EQ(in.n_files, 3U);
  EXPECT_EQ(in.tensors.size(), small.tensors().size());
  EXPECT_EQ(in.architecture, "llama");
  EXPECT_LT(in.other_bytes(), in.file_bytes);

  std::filesystem::remove(paths[2]);
  const Inspection lone = inspect({.path = paths[0], .bytes = {}}, 1);
  EXPECT_TRUE(lone.is_parsed);
  EXPECT_TRUE(lone.is_damaged);
  EXPECT_TRUE(has(lone.refusal.value_or(""), "is part 1 of 3 of a split model, and part 3, "));
}

TEST(UnmappableModel, IsReadIntoMemoryAndSaysSo) {
  const SmallModel small("llama");
  const LoadedModel whole(small);
  const TempFile file(small.to_gguf().build());
  const FailingMmap failing(ENODEV);
  for (const WeightMemory weights : {WeightMemory::mmap, WeightMemory::repack}) {
    const Model model = Model::load(file.path(), {.n_threads = 2, .weights = weights});
    EXPECT_EQ(logits(model, kIds), logits(whole.model, kIds));
    EXPECT_EQ(model.info().read_notice,
              file.path() +
                  ": cannot be mapped (No such device), so it was read: it takes 1 MiB of memory that no "
                  "other process shares");
    EXPECT_TRUE(std::ranges::equal(model.impl().file.bytes(), whole.file.span()));
  }
  const Inspection in = inspect({.path = file.path(), .bytes = {}}, 1);
  EXPECT_TRUE(in.is_usable()) << in.refusal.value_or("");
  const auto memory = std::ranges::find(in.findings, "memory", &Finding::topic);
  ASSERT_NE(memory, in.findings.end());
  EXPECT_EQ(memory->level, FindingLevel::note);
}

TEST(UnmappableModel, MayBeSplit) {
  const SmallModel small("bitnet-b1.58");
  const LoadedModel whole(small);
  const TempDirectory directory;
  const std::vector<std::string> paths = write_parts(small, 3, directory.file("m"));
  const FailingMmap failing(ENODEV);
  const Model model = Model::load(paths[1]);
  EXPECT_EQ(logits(model, kIds), logits(whole.model, kIds));
  EXPECT_TRUE(model.info().read_notice.starts_with(paths[0] + ": cannot be mapped"));
}

TEST(UnmappableModel, StopsBeingReadWhenTold) {
  const TempFile file(SmallModel("llama").to_gguf().build());
  const FailingMmap failing(ENODEV);
  EXPECT_THROW(Model::load(file.path(), {.on_progress = [](double) { return false; }}), RuntimeError);
}

}  // namespace
}  // namespace bitnet::test
