// The screen of a head whose last bits come when searches want them.
#include "model/head/head_screen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "model/head/searched_head.h"
#include "model/model_impl.h"
#include "support/small_model.h"
#include "support/temp_directory.h"

namespace bitnet {
namespace {

using searched::by_sorting;
using searched::Head;
using searched::random_input;

constexpr std::size_t kFirst = 1;  // planes of single bits
constexpr std::size_t kAll = kernels::kBitPlanes;

std::string_view text_of(const HeadScreen& screen) {
  return {reinterpret_cast<const char*>(screen.bytes().data()), screen.bytes().size()};
}

// Asks for the best row with n inputs, one after the other; gives how many rows were computed in full.
std::uint64_t search_for_each(HeadSearch& search, const Head& head,
                              const std::vector<std::vector<float>>& inputs) {
  std::vector<float> logits(head.w.rows);
  for (const std::vector<float>& x : inputs) {
    const auto found = search.find({.n_best = 1}, x.data(), logits);
    const auto expected = by_sorting(head.w, {.n_best = 1}, x.data());
    if (!found) continue;
    EXPECT_EQ(found->size(), 1U);
    EXPECT_EQ(to_int((*found)[0].id), to_int(expected[0].id));
    EXPECT_EQ((*found)[0].logit, expected[0].logit);
  }
  return search.take_counts().full;
}

std::vector<std::vector<float>> inputs_unlike_rows(std::size_t n, std::size_t cols) {
  std::vector<std::vector<float>> inputs;
  for (unsigned i = 0; i < n; ++i) inputs.push_back(random_input(cols, 100 + i));
  return inputs;
}

TEST(HeadScreen, CompletedItIsTheScreenThatWasMadeWithAllBits) {
  const Head head(777, 300);
  ThreadPool pool(2);
  const HeadScreen whole(head.w, pool);
  const HeadScreen later(head.w, pool, nullptr, HeadScreen::Depth::five_bits);
  EXPECT_EQ(whole.n_bit_planes(), kAll);
  EXPECT_EQ(later.n_bit_planes(), kFirst);
  EXPECT_EQ(whole.made_bytes(), whole.bytes().size());
  EXPECT_EQ(later.made_bytes(), later.bytes().size() - 777 * 2 * 2 * kernels::kBitBytes);
  EXPECT_NE(text_of(later), text_of(whole));
  later.complete(pool);
  later.complete(pool);
  EXPECT_EQ(later.n_bit_planes(), kAll);
  EXPECT_EQ(later.made_bytes(), later.bytes().size());
  EXPECT_EQ(text_of(later), text_of(whole));
}

TEST(HeadScreen, GetsItsLastBitsWhereSearchAfterSearchLeavesManyRows) {
  const Head head(3000, 1024);
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool, nullptr, HeadScreen::Depth::five_bits);
  HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
  const auto inputs = inputs_unlike_rows(2, 1024);
  const std::uint64_t before = search_for_each(search, head, inputs);
  EXPECT_EQ(screen.n_bit_planes(), kFirst);
  // The third has them made, and goes on with them.
  const std::uint64_t at_last = search_for_each(search, head, inputs_unlike_rows(1, 1024));
  EXPECT_EQ(screen.n_bit_planes(), kAll);
  EXPECT_LT(at_last, before / 2);
  // Another session has them from its first search on.
  HeadSearch other(head.w, &screen, kernels::find("auto"), pool);
  EXPECT_LT(search_for_each(other, head, inputs), before / 2);
}

TEST(HeadScreen, GetsItsLastBitsAtOnceForASearchThatLeavesMoreThanIsWorthCopying) {
  Head head(40000, 16);
  const auto same = random_input(16, 6);
  for (std::size_t r = 0; r < 40000; ++r) std::ranges::copy(same, head.row(r).begin());
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool, nullptr, HeadScreen::Depth::five_bits);
  HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
  std::vector<float> logits(40000);
  EXPECT_FALSE(search.find({.n_best = 1}, same.data(), logits));
  EXPECT_EQ(screen.n_bit_planes(), kAll);
}

TEST(HeadScreen, NeedsNoMoreThanFiveBitsWhereFewRowsAreLikeTheInput) {
  Head head(3000, 256);
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool, nullptr, HeadScreen::Depth::five_bits);
  HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
  for (std::size_t text = 0; text < 5; ++text) {
    std::vector<std::vector<float>> inputs = inputs_unlike_rows(2, 256);  // as at the beginning of a text
    for (std::size_t i = 0; i < 8; ++i) inputs.emplace_back(head.row(i).begin(), head.row(i).end());
    search_for_each(search, head, inputs);
  }
  EXPECT_EQ(screen.n_bit_planes(), kFirst);
}

// Of several together what they leave on average counts, once.
TEST(HeadScreen, IsNotCompletedByTheFirstTokensOfManyTextsAtOnce) {
  const Head head(3000, 1024);
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool, nullptr, HeadScreen::Depth::five_bits);
  HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
  const auto inputs = inputs_unlike_rows(8, 1024);
  std::vector<std::vector<float>> logits(8, std::vector<float>(3000));
  std::vector<HeadQuery> asked;
  for (std::size_t i = 0; i < 8; ++i) asked.push_back({{.n_best = 1}, inputs[i].data(), logits[i]});
  std::vector<HeadSearch::Found> found(8);
  for (int pass = 1; pass <= 3; ++pass) {
    search.find(asked, found);
    for (std::size_t i = 0; i < 8; ++i) {
      ASSERT_TRUE(found[i]);
      EXPECT_EQ(to_int((*found[i])[0].id), to_int(by_sorting(head.w, {.n_best = 1}, inputs[i].data())[0].id));
    }
    EXPECT_EQ(screen.n_bit_planes(), pass < 3 ? kFirst : kAll);
  }
}

// More rows in full than are copied at a time, of a head in a file, for two inputs.
TEST(HeadScreen, ComputesTheSameLogitsFromCopiesOfHoweverManyRows) {
  const test::TempDirectory directory;
  const std::string path = directory.file("small.gguf");
  const auto bytes = test::SmallModel("llama", {.layers = 1, .vocab = 20000}).to_gguf().build();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  const Model model = Model::load(path, {.head = HeadKind::screened});
  const quant::Matrix& w = model.impl().weights.output;
  ASSERT_NE(model.impl().rows_of_head(), nullptr);
  ThreadPool pool(2);
  HeadSearch search(w, &*model.impl().head_screen, kernels::find("auto"), pool, model.impl().rows_of_head());
  const auto inputs = inputs_unlike_rows(2, w.cols);
  std::vector<std::vector<float>> logits(2, std::vector<float>(w.rows));
  std::vector<HeadQuery> asked;
  for (std::size_t i = 0; i < 2; ++i) asked.push_back({{.n_best = 600}, inputs[i].data(), logits[i]});
  std::vector<HeadSearch::Found> found(2);
  search.find(asked, found);
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(found[i]);
    const auto expected = by_sorting(w, {.n_best = 600}, inputs[i].data());
    ASSERT_EQ(found[i]->size(), expected.size());
    for (std::size_t c = 0; c < expected.size(); ++c) {
      EXPECT_EQ(to_int((*found[i])[c].id), to_int(expected[c].id));
      EXPECT_EQ((*found[i])[c].logit, expected[c].logit);
    }
  }
  EXPECT_GT(search.take_counts().full, 3 * 512U);
}

TEST(HeadScreen, IsCompletedByOneSessionWhileOthersSearchInIt) {
  const Head head(3000, 256);
  ThreadPool pool(1);
  const HeadScreen screen(head.w, pool, nullptr, HeadScreen::Depth::five_bits);
  const auto inputs = inputs_unlike_rows(30, 256);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      ThreadPool own(1);
      HeadSearch search(head.w, &screen, kernels::find("auto"), own);
      search_for_each(search, head, inputs);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(screen.n_bit_planes(), kAll);
}

}  // namespace
}  // namespace bitnet
