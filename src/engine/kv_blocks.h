// Who holds which block of a KV cache that many sequences share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "bitnet/types.h"
#include "kernels/kernels.h"

namespace bitnet {

// A block of kernels::kKeyBlock positions is held by sequences, or remembered for the tokens whose keys and
// values it has, or both, or neither: then it is free. What is remembered is a tree: a block stands for its
// own tokens behind those of its parent and of all before, since keys and values depend on all of them. What
// is remembered and held by nobody is forgotten for those who need a block, the longest unused first, ends
// before beginnings.
class KvBlocks {
 public:
  using Block = std::uint32_t;
  static constexpr std::size_t kTokens = kernels::kKeyBlock;
  static constexpr Block kNone = static_cast<Block>(-1);

  explicit KvBlocks(std::size_t n_blocks);

  std::size_t size() const { return nodes_.size(); }
  std::size_t n_held() const { return n_held_; }
  // That take() would give.
  std::size_t n_available() const { return size() - n_held_; }
  bool is_held(Block block) const { return nodes_[block].holders > 0; }

  // A block with one holder; nullopt: others hold them all.
  std::optional<Block> take();
  void hold(Block block);
  void release(Block block);  // by one of its holders

  // Remembers that a block has the keys and values of `tokens` (1 to kTokens), following all that `parent`,
  // a full block, stands for; kNone: they begin the sequence. If another block has just these, that is the
  // one remembered, and it is returned.
  Block remember(Block block, Block parent, std::span<const TokenId> tokens);

  // What is remembered of the beginning of a sequence.
  struct Beginning {
    std::vector<Block> blocks;  // full ones, in order
    std::optional<Block> next;  // the one behind them whose first n_next tokens are the sequence's as well
    std::size_t n_next = 0;

    std::size_t n_tokens() const { return blocks.size() * kTokens + n_next; }
  };
  Beginning find(std::span<const TokenId> tokens);

 private:
  struct Node {
    Block parent = kNone;
    Block first_child = kNone;
    Block next_sibling = kNone;
    std::uint32_t n_tokens = 0;  // 0: it is not remembered
    std::uint32_t holders = 0;
    std::uint64_t last_used = 0;
  };

  Block& children_of(Block parent) { return parent == kNone ? first_root_ : nodes_[parent].first_child; }
  std::span<const TokenId> tokens_of(Block block) const {
    return {tokens_.data() + block * kTokens, nodes_[block].n_tokens};
  }
  void forget(Block block);

  std::vector<Node> nodes_;   // [n_blocks]
  Buffer<TokenId> tokens_;    // [n_blocks, kTokens]
  std::vector<Block> free_;   // the next to be given last
  Block first_root_ = kNone;  // of the blocks that begin a sequence
  std::size_t n_held_ = 0;
  std::uint64_t now_ = 0;
};

}  // namespace bitnet
