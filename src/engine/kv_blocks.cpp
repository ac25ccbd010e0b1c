#include "engine/kv_blocks.h"

#include <algorithm>
#include <cassert>

namespace bitnet {

KvBlocks::KvBlocks(std::size_t n_blocks)
    : nodes_(n_blocks), tokens_(n_blocks * kTokens, "the list of tokens in the KV cache") {
  free_.reserve(n_blocks);
  for (std::size_t i = n_blocks; i > 0; --i) free_.push_back(static_cast<Block>(i - 1));
}

std::optional<KvBlocks::Block> KvBlocks::take() {
  if (free_.empty()) {
    Block oldest = kNone;
    for (Block b = 0; b < nodes_.size(); ++b) {
      const Node& node = nodes_[b];
      if (node.holders > 0 || node.first_child != kNone) continue;
      if (oldest == kNone || node.last_used < nodes_[oldest].last_used) oldest = b;
    }
    if (oldest == kNone) return std::nullopt;
    forget(oldest);
  }
  const Block block = free_.back();
  free_.pop_back();
  hold(block);
  return block;
}

void KvBlocks::hold(Block block) {
  if (nodes_[block].holders++ == 0) ++n_held_;
}

void KvBlocks::release(Block block) {
  Node& node = nodes_[block];
  assert(node.holders > 0);
  if (--node.holders > 0) return;
  --n_held_;
  if (node.n_tokens == 0) free_.push_back(block);
}

void KvBlocks::forget(Block block) {
  Node& node = nodes_[block];
  Block* link = &children_of(node.parent);
  while (*link != block) link = &nodes_[*link].next_sibling;
  *link = node.next_sibling;
  node = {};
  free_.push_back(block);
}

KvBlocks::Block KvBlocks::remember(Block block, Block parent, std::span<const TokenId> tokens) {
  assert(!tokens.empty() && tokens.size() <= kTokens && nodes_[block].n_tokens == 0);
  Block& first = children_of(parent);
  for (Block b = first; b != kNone; b = nodes_[b].next_sibling) {
    if (!std::ranges::equal(tokens_of(b), tokens)) continue;
    nodes_[b].last_used = ++now_;
    return b;
  }
  Node& node = nodes_[block];
  node.parent = parent;
  node.next_sibling = first;
  node.n_tokens = static_cast<std::uint32_t>(tokens.size());
  node.last_used = ++now_;
  std::ranges::copy(tokens, tokens_.data() + block * kTokens);
  first = block;
  return block;
}

KvBlocks::Beginning KvBlocks::find(std::span<const TokenId> tokens) {
  Beginning found;
  Block parent = kNone;
  ++now_;
  while (!tokens.empty()) {
    Block best = kNone;
    std::size_t n_best = 0;
    for (Block b = children_of(parent); b != kNone; b = nodes_[b].next_sibling) {
      const std::span<const TokenId> of_block = tokens_of(b);
      const auto differs = std::ranges::mismatch(of_block, tokens).in1;
      const auto n = static_cast<std::size_t>(differs - of_block.begin());
      if (n > n_best) {
        best = b;
        n_best = n;
      }
    }
    if (best == kNone) break;
    nodes_[best].last_used = now_;
    if (n_best < kTokens) {
      found.next = best;
      found.n_next = n_best;
      break;
    }
    found.blocks.push_back(best);
    tokens = tokens.subspan(kTokens);
    parent = best;
  }
  return found;
}

}  // namespace bitnet
