// Matrices of which only some rows are read: how much of them a process holds.
#include "model/rare_rows.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "bitnet/session.h"
#include "model/model_impl.h"
#include "quant/tensor_type.h"
#include "support/small_model.h"
#include "support/temp_file.h"

namespace bitnet::test {
namespace {

constexpr std::size_t kPage = 4096;
// Reading what lies beside a matrix may bring in some megabytes of it, where the page cache has large pages.
constexpr double kFew = 0.4;
const SmallShape kRareShape{.layers = 1, .vocab = 60'000};

// The part of `bytes` whose pages this process has mapped now; nullopt where the system doesn't tell.
std::optional<double> mapped_part(std::span<const std::byte> bytes) {
  const Descriptor map(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (map.get() < 0 || ::sysconf(_SC_PAGESIZE) != static_cast<long>(kPage)) return std::nullopt;
  const auto first = reinterpret_cast<std::uintptr_t>(bytes.data()) / kPage;
  std::vector<std::uint64_t> entries(bytes.size() / kPage);
  const std::size_t size = entries.size() * sizeof entries[0];
  if (::pread(map.get(), entries.data(), size, static_cast<off_t>(first * sizeof entries[0])) !=
      static_cast<ssize_t>(size)) {
    return std::nullopt;
  }
  const auto n = std::ranges::count_if(entries, [](std::uint64_t entry) { return entry >> 63 != 0; });
  return static_cast<double>(n) / static_cast<double>(entries.size());
}

void touch(std::span<const std::byte> bytes) {
  volatile std::byte sink{};
  for (std::size_t at = 0; at < bytes.size(); at += kPage) sink = bytes[at];
  static_cast<void>(sink);
}

// Drawn once for all tests: that takes longer than they do.
SmallModel tied_model() {
  static const SmallModel model = [] {
    SmallModel small("bitnet-b1.58", kRareShape);
    return small.set(small.key("context_length"), std::uint32_t{512});
  }();
  return model;
}

SmallModel untied_model() {
  static const SmallModel model = [] {
    SmallModel small("llama", kRareShape);
    SmallTensor head{"output.weight", {kRareShape.hidden, kRareShape.vocab}, kF16, {}};
    head.draw(5);
    small.add(std::move(head));
    return small;
  }();
  return model;
}

std::span<const std::byte> extent_of(const Model& model, std::string_view name) {
  return model.impl().file.find_tensor(name)->extent;
}

TEST(RareRows, OfACopiedHeadAreNotThereAfterLoading) {
  const TempFile file(tied_model().build().span());
  for (const WeightMemory weights : {WeightMemory::mmap, WeightMemory::repack}) {
    for (const HeadKind head : {HeadKind::screened, HeadKind::int8}) {
      const Model model = Model::load(file.path(), {.n_threads = 2, .weights = weights, .head = head});
      ASSERT_EQ(model.info().head.kind, head);
      const auto part = mapped_part(extent_of(model, "token_embd.weight"));
      if (!part) GTEST_SKIP() << "the system doesn't tell which pages are mapped";
      EXPECT_LT(*part, kFew);
    }
  }
}

TEST(RareRows, OfAHeadThatIsUsedAsItIsAreThere) {
  const TempFile file(tied_model().build().span());
  const Model model = Model::load(file.path());
  EXPECT_EQ(model.impl().rows_of_embedding(), nullptr);
  EXPECT_EQ(model.impl().rows_of_head(), nullptr);
  const auto part = mapped_part(extent_of(model, "token_embd.weight"));
  if (!part) GTEST_SKIP() << "the system doesn't tell which pages are mapped";
  EXPECT_GT(*part, 0.9);
}

TEST(RareRows, OfAnEmbeddingBesideItsHeadAreNotThereAfterLoading) {
  const TempFile file(untied_model().build().span());
  const Model model = Model::load(file.path());
  EXPECT_NE(model.impl().rows_of_embedding(), nullptr);
  EXPECT_EQ(model.impl().rows_of_head(), nullptr);
  const auto embedding = mapped_part(extent_of(model, "token_embd.weight"));
  const auto head = mapped_part(extent_of(model, "output.weight"));
  if (!embedding || !head) GTEST_SKIP() << "the system doesn't tell which pages are mapped";
  EXPECT_LT(*embedding, kFew);
  EXPECT_GT(*head, 0.9);
}

TEST(RareRows, AreNotThereAfterTheirDataWasChecked) {
  SmallModel small = untied_model();
  SmallTensor& embedding = small.tensor("token_embd.weight");
  embedding.type = kI2S;
  embedding.draw(6);
  const TempFile file(small.build().span());
  const Model model = Model::load(file.path());
  ASSERT_EQ(model.impl().weights.token_embd.type, quant::TensorType::i2_s);
  const auto part = mapped_part(extent_of(model, "token_embd.weight"));
  if (!part) GTEST_SKIP() << "the system doesn't tell which pages are mapped";
  EXPECT_LT(*part, kFew);
}

// The scale behind all rows is no part of any: of few rows it would be a byte or more of each.
TEST(RareRows, OfATypeWithAScaleBehindThemAllAreThoseOfTheMatrix) {
  const std::size_t n_rows = 16;
  SmallTensor tensor{"few", {kRareShape.hidden, n_rows}, kI2S, {}};
  tensor.draw(7);
  SmallModel small = untied_model();
  small.add(tensor);
  const TempFile path(small.build().span());
  const gguf::File file = gguf::File::open(path.path());
  const auto bytes = file.find_tensor("few")->extent;
  const quant::Matrix w{quant::TensorType::i2_s, n_rows, kRareShape.hidden, bytes.data(), 1.0F};
  const RareRows rows(file, bytes);
  const std::size_t row_bytes = kRareShape.hidden / 4;
  std::vector<std::byte> copy(2 * row_bytes);
  rows.copy(w, n_rows - 2, 2, copy.data());
  EXPECT_TRUE(std::ranges::equal(copy, bytes.subspan((n_rows - 2) * row_bytes, copy.size())));
}

TEST(RareRows, AreCopiedWithoutTheirPages) {
  const TempFile path(untied_model().build().span());
  const gguf::File file = gguf::File::open(path.path());
  const auto bytes = file.find_tensor("output.weight")->extent;
  const quant::Matrix w{quant::TensorType::f16, kRareShape.vocab, kRareShape.hidden, bytes.data(), 1.0F};
  const std::size_t row_bytes = 2 * kRareShape.hidden;
  const RareRows rows(file, bytes);
  file.give_back(bytes);
  std::vector<std::byte> copy(3 * row_bytes);
  for (const std::size_t row : {std::size_t{0}, std::size_t{777}, kRareShape.vocab - 3}) {
    rows.copy(w, row, 3, copy.data());
    if (const auto part = mapped_part(bytes)) {
      EXPECT_LT(*part, 0.01);
    }
    EXPECT_TRUE(std::ranges::equal(copy, bytes.subspan(row * row_bytes, copy.size()))) << row;
    file.give_back(bytes);
  }
}

// The head of a file, all of whose pages are there.
struct TouchedHead {
  TouchedHead() { touch(bytes); }

  TempFile path{untied_model().build().span()};
  gguf::File file = gguf::File::open(path.path());
  std::span<const std::byte> bytes = file.find_tensor("output.weight")->extent;
  RareRows rows{file, bytes};
};

TEST(RareRows, GoAfterAWhileWhenAllWereTouched) {
  const TouchedHead head;
  if (!mapped_part(head.bytes)) GTEST_SKIP() << "the system doesn't tell which pages are mapped";
  head.rows.touched();
  head.rows.copied();
  EXPECT_GT(*mapped_part(head.bytes), 0.9);
  for (int i = 0; i < 100; ++i) head.rows.copied();
  EXPECT_LT(*mapped_part(head.bytes), 0.1);
}

TEST(RareRows, StayWhereAllOfThemAreTouchedOften) {
  const TouchedHead head;
  if (!mapped_part(head.bytes)) GTEST_SKIP() << "the system doesn't tell which pages are mapped";
  for (int i = 0; i < 200; ++i) {
    head.rows.touched();
    head.rows.copied();
  }
  for (int i = 0; i < 1000; ++i) head.rows.copied();
  EXPECT_GT(*mapped_part(head.bytes), 0.9);
}

TEST(RareRows, OfASessionAreNotThereWhateverItReads) {
  const TempFile file(tied_model().build().span());
  const Model model = Model::load(file.path(), {.n_threads = 2, .head = HeadKind::screened});
  const auto bytes = extent_of(model, "token_embd.weight");
  if (!mapped_part(bytes)) GTEST_SKIP() << "the system doesn't tell which pages are mapped";
  Session session(model, {.n_threads = 2});
  std::vector<TokenId> ids(200);
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = TokenId{static_cast<std::int32_t>(i * 61 % kRareShape.vocab)};
  session.advance(ids);
  for (const TokenId id : ids) {
    session.candidates({.n_best = 1});
    session.advance({&id, 1});
  }
  EXPECT_LT(*mapped_part(bytes), kFew);
}

TEST(RareRows, AreLeftOutOfWhatIsReadAlways) {
  const TempFile path(untied_model().build().span());
  const gguf::File file = gguf::File::open(path.path());
  for (const HeadKind head : {HeadKind::exact, HeadKind::screened}) {
    const auto rare = rare_matrices(file, head);
    EXPECT_EQ(rare.size(), head == HeadKind::exact ? 1U : 2U);
    const auto sum = [](const auto& all) {
      return std::accumulate(all.begin(), all.end(), std::size_t{0},
                             [](std::size_t n, const auto& bytes) { return n + bytes.size(); });
    };
    const auto left = without(file, rare);
    EXPECT_EQ(sum(left) + sum(rare), file.bytes().size());
    for (const auto& bytes : left) {
      for (const auto& matrix : rare)
        EXPECT_TRUE(bytes.data() + bytes.size() <= matrix.data() ||
                    bytes.data() >= matrix.data() + matrix.size());
    }
  }
}

}  // namespace
}  // namespace bitnet::test
