// A copy of the head in a file: used when it is right, made anew when anything is not.
#include "model/head/head_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/session.h"
#include "model/model_impl.h"
#include "quant/i8_rows.h"
#include "support/small_model.h"
#include "support/temp_directory.h"
#include "support/text_holds.h"

namespace bitnet::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeaderBytes = 128;
const SmallShape kCachedShape{.layers = 1, .vocab = 301};

void write(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(out.flush());
}
void write(const std::string& path, const std::string& text) { write(path, std::as_bytes(std::span(text))); }

std::string bytes_of_head(const Model& model) {
  ThreadPool pool(1);
  if (model.impl().head_screen) model.impl().head_screen->complete(pool);
  const auto bytes = model.impl().head_copy();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A model in a directory of its own, with each kind of copy.
class HeadCacheFile : public ::testing::TestWithParam<HeadKind> {
 protected:
  HeadCacheFile() { put(SmallModel("llama", kCachedShape)); }

  void put(const SmallModel& small) { write(path_, small.to_gguf().build()); }
  Model load() const { return Model::load(path_, {.head = GetParam(), .cache_head = true}); }
  Model load_uncached() const { return Model::load(path_, {.head = GetParam()}); }

  // Expects that the file is not used, with a notice that holds `why`, and right afterwards.
  void expect_made_anew(const std::string& why) const {
    const Model model = load();
    const HeadCacheInfo& info = model.info().head.cache;
    EXPECT_FALSE(info.used);
    EXPECT_TRUE(info.notice.starts_with(cache_ + ": ")) << info.notice;
    EXPECT_TRUE(has(info.notice, why));
    EXPECT_EQ(info.failure, "");
    EXPECT_EQ(bytes_of_head(model), bytes_of_head(load_uncached()));
    EXPECT_TRUE(load().info().head.cache.used);
    EXPECT_EQ(directory_.n_files(), 2);
  }

  TempDirectory directory_;
  std::string path_ = directory_.file("small.gguf");
  std::string cache_ = path_ + (GetParam() == HeadKind::int8 ? ".int8-head" : ".screened-head");
};
INSTANTIATE_TEST_SUITE_P(Kinds, HeadCacheFile, ::testing::Values(HeadKind::int8, HeadKind::screened),
                         [](const auto& kind) { return kind.param == HeadKind::int8 ? "int8" : "screened"; });

TEST_P(HeadCacheFile, IsWrittenOnceAndThenUsed) {
  const Model first = load();
  EXPECT_EQ(first.info().head.kind, GetParam());
  EXPECT_EQ(first.info().head.cache.file, cache_);
  EXPECT_FALSE(first.info().head.cache.used);
  EXPECT_EQ(first.info().head.cache.notice, "");
  EXPECT_EQ(first.info().head.cache.failure, "");
  const std::string written = content_of(cache_);
  const bool is_int8 = GetParam() == HeadKind::int8;
  EXPECT_EQ(written.size(),
            kHeaderBytes + (is_int8 ? quant::i8_rows::n_bytes(kCachedShape.vocab, kCachedShape.hidden)
                                    : HeadScreen::n_bytes(kCachedShape.vocab, kCachedShape.hidden)));
  EXPECT_TRUE(written.starts_with(is_int8 ? "bitnet int8 head" : "bitnet head bits"));
  EXPECT_EQ(written.substr(kHeaderBytes), bytes_of_head(first));

  const Model second = load();
  EXPECT_TRUE(second.info().head.cache.used);
  EXPECT_EQ(second.info().head.cache.notice, "");
  EXPECT_EQ(bytes_of_head(second), bytes_of_head(first));
  EXPECT_EQ(second.info().head.extra_bytes, first.info().head.extra_bytes);
  EXPECT_EQ(content_of(cache_), written);
  EXPECT_EQ(directory_.n_files(), 2);
}

TEST_P(HeadCacheFile, GivesTheLogitsOfACopyThatIsMade) {
  const std::vector<TokenId> ids{TokenId{0}, TokenId{7}, TokenId{300}};
  for (const bool tied : {true, false}) {
    SmallModel small("llama", kCachedShape);
    SmallTensor head{"output.weight", {kCachedShape.hidden, kCachedShape.vocab}, kF16, {}};
    head.draw(5);
    if (!tied) small.add(std::move(head));
    put(small);
    const auto expected = logits(load_uncached(), ids);
    EXPECT_EQ(logits(load(), ids), expected);
    const Model cached = load();
    ASSERT_TRUE(cached.info().head.cache.used);
    EXPECT_EQ(logits(cached, ids), expected);
    const Model repacked =
        Model::load(path_, {.weights = WeightMemory::repack, .head = GetParam(), .cache_head = true});
    ASSERT_TRUE(repacked.info().head.cache.used);
    EXPECT_EQ(logits(repacked, ids), expected);
    fs::remove(cache_);
  }
}

TEST_P(HeadCacheFile, GivesTheCandidatesOfACopyThatIsMade) {
  put(SmallModel("llama", {.layers = 1, .vocab = 3001}));
  const std::vector<TokenId> ids{TokenId{0}, TokenId{7}, TokenId{300}};
  const auto candidates = [&](const Model& model) {
    Session session(model, {.n_threads = 2});
    session.advance(ids);
    std::vector<std::pair<int, float>> found;
    for (const Candidate& c : session.candidates({.n_best = 9})) found.emplace_back(to_int(c.id), c.logit);
    return found;
  };
  const auto expected = candidates(load_uncached());
  EXPECT_EQ(candidates(load()), expected);
  const Model cached = load();
  ASSERT_TRUE(cached.info().head.cache.used);
  EXPECT_EQ(candidates(cached), expected);
}

// In a directory for the copies of several models, files of the same name are not taken for each other.
TEST_P(HeadCacheFile, MayBeInAnotherDirectory) {
  const TempDirectory other;
  const TempDirectory copies;
  const std::string twin = other.file("small.gguf");
  fs::copy_file(path_, twin);
  const auto load_with = [&](const std::string& path) {
    return Model::load(path,
                       {.head = GetParam(), .cache_head = true, .head_cache_directory = copies.file("")});
  };
  EXPECT_FALSE(load_with(path_).info().head.cache.used);
  EXPECT_FALSE(load_with(twin).info().head.cache.used);
  EXPECT_EQ(copies.n_files(), 2);
  EXPECT_EQ(directory_.n_files(), 1);
  EXPECT_EQ(other.n_files(), 1);
  EXPECT_TRUE(load_with(path_).info().head.cache.used);
  EXPECT_TRUE(load_with(directory_.file("./small.gguf")).info().head.cache.used);
  EXPECT_TRUE(load_with(twin).info().head.cache.used);
  EXPECT_EQ(bytes_of_head(load_with(path_)), bytes_of_head(load_uncached()));
}

TEST_P(HeadCacheFile, OfAnotherLengthIsMadeAnew) {
  load();
  const std::string good = content_of(cache_);
  for (const std::size_t size : {std::size_t{1}, std::size_t{15}, std::size_t{16}, kHeaderBytes - 1,
                                 kHeaderBytes, kHeaderBytes + 1, good.size() / 2, good.size() - 1}) {
    SCOPED_TRACE(size);
    write(cache_, good.substr(0, size));
    expect_made_anew("is cut short");
    EXPECT_EQ(content_of(cache_), good);
  }
  write(cache_, std::string());
  expect_made_anew("is empty");
  write(cache_, good + "x");
  expect_made_anew("is longer");
  write(cache_, good + good);
  expect_made_anew("is longer");
}

// What a change in each 64 bits of the header comes to; the last stands for all that follow.
constexpr std::array kReasons{
    "is no copy of a head",  // magic
    "is no copy of a head",
    "is of another version",
    "another state of the model",  // size
    "another state of the model",  // time
    "another tensor",              // offset
    "another tensor",              // type
    "another tensor",              // rows
    "another tensor",              // columns
    "is damaged",                  // checksum, unused
};

// In every field, in those that hold nothing too.
TEST_P(HeadCacheFile, WithAFlippedBitInItsHeaderIsMadeAnew) {
  load();
  const std::string good = content_of(cache_);
  for (std::size_t bit = 0; bit < 8 * kHeaderBytes; bit += 13) {
    SCOPED_TRACE(bit);
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(static_cast<unsigned char>(bad[bit / 8]) ^ (1U << bit % 8));
    write(cache_, bad);
    expect_made_anew(kReasons[std::min(bit / 64, kReasons.size() - 1)]);
    EXPECT_EQ(content_of(cache_), good);
  }
}

TEST_P(HeadCacheFile, WithAbsurdSizesIsMadeAnew) {
  load();
  const std::string good = content_of(cache_);
  for (std::size_t at = 16; at < kHeaderBytes; at += sizeof(std::uint64_t)) {
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32,
                                      std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()}) {
      std::string bad = good;
      std::memcpy(bad.data() + at, &value, sizeof value);
      if (bad == good) continue;
      SCOPED_TRACE(std::to_string(at) + ": " + std::to_string(value));
      write(cache_, bad);
      expect_made_anew("; the copy is made anew");
    }
  }
}

TEST_P(HeadCacheFile, WithAFlippedBitInTheCopyIsMadeAnew) {
  load();
  const std::string good = content_of(cache_);
  for (std::size_t at = kHeaderBytes; at < good.size(); at += good.size() / 9) {
    SCOPED_TRACE(at);
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    write(cache_, bad);
    expect_made_anew("is damaged: its checksum is wrong");
  }
}

TEST_P(HeadCacheFile, OfSomethingElseIsMadeAnew) {
  write(cache_, std::string(100'000, 'x'));
  expect_made_anew("is no copy of a head");
}

// What is of the other kind has another beginning.
TEST_P(HeadCacheFile, OfTheOtherKindIsMadeAnew) {
  const HeadKind other = GetParam() == HeadKind::int8 ? HeadKind::screened : HeadKind::int8;
  const Model model = Model::load(path_, {.head = other, .cache_head = true});
  fs::rename(model.info().head.cache.file, cache_);
  expect_made_anew("is no copy of a head");
}

// A checksum over bytes that stand in an order of blocks: exchanged blocks are noticed as well.
TEST_P(HeadCacheFile, OfManyBlocksNoticesAnExchange) {
  put(SmallModel("llama", {.layers = 1, .hidden = 512, .vocab = 20'000}));
  load();
  const std::string good = content_of(cache_);
  constexpr std::size_t kBlock = std::size_t{4} << 20;
  ASSERT_GT(good.size(), 2 * kBlock + kHeaderBytes);
  std::string bad = good;
  std::swap_ranges(bad.begin() + kHeaderBytes, bad.begin() + kHeaderBytes + kBlock,
                   bad.begin() + kHeaderBytes + kBlock);
  write(cache_, bad);
  expect_made_anew("is damaged");
}

TEST_P(HeadCacheFile, IsMadeAnewWhenTheModelIsAnother) {
  load();
  fs::last_write_time(path_, fs::last_write_time(path_) + std::chrono::nanoseconds(1000));
  expect_made_anew("was made from another state of the model's file");
  const fs::file_time_type time = fs::last_write_time(path_);
  put(SmallModel("llama", {.layers = 2, .vocab = kCachedShape.vocab}));  // longer
  fs::last_write_time(path_, time);
  expect_made_anew("was made from another state of the model's file");
}

TEST_P(HeadCacheFile, ThatCannotBeWrittenIsDoneWithout) {
  fs::create_directory(cache_);
  for (const bool with_pipe : {false, true}) {
    SCOPED_TRACE(with_pipe);
    if (with_pipe) {
      fs::remove(cache_);
      ASSERT_EQ(::mkfifo(cache_.c_str(), 0600), 0);  // opening it would wait for ever
    }
    const Model model = load();
    const HeadCacheInfo& info = model.info().head.cache;
    EXPECT_FALSE(info.used);
    EXPECT_TRUE(has(info.notice, "is not a regular file"));
    EXPECT_EQ(info.failure, cache_ + ": is not a regular file; the copy of the head is not kept");
    EXPECT_EQ(bytes_of_head(model), bytes_of_head(load_uncached()));
    EXPECT_EQ(directory_.n_files(), 2);
  }
}

TEST_P(HeadCacheFile, IsNotLeftHalfWrittenWhenLoadingIsStopped) {
  int n_questions = 0;
  const LoadOptions options{.head = GetParam(), .cache_head = true, .on_progress = [&](double done) {
                              ++n_questions;
                              return done < 1;
                            }};
  EXPECT_THROW(Model::load(path_, options), RuntimeError);
  EXPECT_GE(n_questions, 2);
  EXPECT_EQ(directory_.n_files(), 1);
}

TEST_P(HeadCacheFile, IsNotMadeUnlessAskedForNorForATernaryHead) {
  load_uncached();
  EXPECT_EQ(load_uncached().info().head.cache.file, "");
  Model::load(path_, {.head = HeadKind::exact, .cache_head = true});
  SmallModel small("llama");
  SmallTensor head{"output.weight", {128, 300}, kI2S, {}};
  head.draw(5);
  small.add(std::move(head));
  put(small);
  EXPECT_EQ(load().info().head.kind, HeadKind::exact);
  EXPECT_EQ(load().info().head.cache.file, "");
  EXPECT_EQ(directory_.n_files(), 1);
}

TEST_P(HeadCacheFile, IsRefusedForAModelFromMemory) {
  const AlignedBytes bytes = SmallModel("llama").build();
  try {
    Model::from_bytes(bytes.span(), "memory", {.head = GetParam(), .cache_head = true});
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_TRUE(has(e.what(), "cache_head"));
  }
}

}  // namespace
}  // namespace bitnet::test
