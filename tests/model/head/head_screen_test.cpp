// The screen of a head whose last bits come when searches want them.
#include "model/head/head_screen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <thread>
#include <vector>

#include "model/head/searched_head.h"

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
  const auto inputs = inputs_unlike_rows(8, 1024);
  const std::uint64_t before = search_for_each(search, head, inputs);
  EXPECT_EQ(screen.n_bit_planes(), kFirst);
  const std::uint64_t after = search_for_each(search, head, inputs);
  EXPECT_EQ(screen.n_bit_planes(), kAll);
  EXPECT_LT(after, before / 2);
  // Another session has them from its first search on.
  HeadSearch other(head.w, &screen, kernels::find("auto"), pool);
  EXPECT_LT(search_for_each(other, head, inputs), before / 2);
}

TEST(HeadScreen, NeedsNoMoreThanFiveBitsWhereFewRowsAreLikeTheInput) {
  Head head(3000, 256);
  ThreadPool pool(2);
  const HeadScreen screen(head.w, pool, nullptr, HeadScreen::Depth::five_bits);
  HeadSearch search(head.w, &screen, kernels::find("auto"), pool);
  std::vector<std::vector<float>> inputs = inputs_unlike_rows(7, 256);  // as at the beginning of a text
  for (std::size_t i = 0; i < 40; ++i) inputs.emplace_back(head.row(i).begin(), head.row(i).end());
  search_for_each(search, head, inputs);
  EXPECT_EQ(screen.n_bit_planes(), kFirst);
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
