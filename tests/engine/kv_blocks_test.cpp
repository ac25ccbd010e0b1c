#include "engine/kv_blocks.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/same_bits.h"

namespace bitnet {
namespace {

constexpr std::size_t kTokens = KvBlocks::kTokens;

// The blocks that hold a sequence, remembered and let go.
std::vector<KvBlocks::Block> remember(KvBlocks& kv, std::span<const TokenId> tokens) {
  std::vector<KvBlocks::Block> blocks;
  KvBlocks::Block parent = KvBlocks::kNone;
  for (std::size_t i = 0; i < tokens.size(); i += kTokens) {
    const KvBlocks::Block own = kv.take().value();
    const KvBlocks::Block kept =
        kv.remember(own, parent, tokens.subspan(i, std::min(kTokens, tokens.size() - i)));
    if (kept != own) {
      kv.hold(kept);
      kv.release(own);
    }
    blocks.push_back(kept);
    parent = kept;
  }
  for (const KvBlocks::Block b : blocks) kv.release(b);
  return blocks;
}

TEST(KvBlocks, GivesEachBlockOnceUntilItIsReleased) {
  KvBlocks kv(3);
  std::vector<KvBlocks::Block> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(kv.take().value());
  std::ranges::sort(taken);
  EXPECT_EQ(taken, (std::vector<KvBlocks::Block>{0, 1, 2}));
  EXPECT_EQ(kv.take(), std::nullopt);
  kv.hold(1);
  kv.release(1);
  EXPECT_EQ(kv.take(), std::nullopt);
  kv.release(1);
  EXPECT_EQ(kv.n_available(), 1);
  EXPECT_EQ(kv.take(), 1);
}

TEST(KvBlocks, FindsTheLongestBeginningThatIsRemembered) {
  KvBlocks kv(8);
  std::vector<TokenId> tokens = some_ids(2 * kTokens + 20, 500);
  const auto blocks = remember(kv, tokens);
  EXPECT_EQ(kv.n_held(), 0);
  KvBlocks::Beginning found = kv.find(tokens);
  EXPECT_EQ(found.blocks, (std::vector{blocks[0], blocks[1]}));
  EXPECT_EQ(found.next, blocks[2]);
  EXPECT_EQ(found.n_next, 20);
  tokens[kTokens + 7] = TokenId{499};
  found = kv.find(tokens);
  EXPECT_EQ(found.blocks, (std::vector{blocks[0]}));
  EXPECT_EQ(found.next, blocks[1]);
  EXPECT_EQ(found.n_next, 7);
  tokens[0] = TokenId{498};
  EXPECT_EQ(kv.find(tokens).n_tokens(), 0);
}

TEST(KvBlocks, KeepsOneOfTwoThatHoldTheSame) {
  KvBlocks kv(8);
  const std::vector<TokenId> tokens = some_ids(2 * kTokens, 500);
  const auto first = remember(kv, tokens);
  EXPECT_EQ(remember(kv, tokens), first);
  // The same tokens behind others are something else.
  std::vector<TokenId> longer = some_ids(kTokens, 400);
  longer.insert(longer.end(), tokens.begin(), tokens.end());
  EXPECT_NE(remember(kv, longer)[1], first[0]);
}

TEST(KvBlocks, ForgetsWhatWasNotUsedForLongestAndEndsBeforeBeginnings) {
  KvBlocks kv(4);
  const std::vector<TokenId> old = some_ids(2 * kTokens, 500);
  const std::vector<TokenId> young = some_ids(2 * kTokens, 400);
  const auto old_blocks = remember(kv, old);
  const auto young_blocks = remember(kv, young);
  EXPECT_EQ(kv.take(), old_blocks[1]);
  EXPECT_EQ(kv.find(old).n_tokens(), kTokens);
  EXPECT_EQ(kv.take(), young_blocks[1]) << "the other was used just before";
  kv.hold(young_blocks[0]);
  EXPECT_EQ(kv.take(), old_blocks[0]);
  EXPECT_EQ(kv.take(), std::nullopt) << "what is held is not forgotten";
  EXPECT_EQ(kv.find(young).n_tokens(), kTokens);
}

}  // namespace
}  // namespace bitnet
