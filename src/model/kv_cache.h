// The keys and values of every position so far, made once per session.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/buffer.h"
#include "kernels/kernels.h"
#include "model/config.h"

namespace bitnet {

// Positions come in blocks of kernels::kKeyBlock; in a block each layer and kv head has its positions next to
// each other, so that attention reads straight on. Memory is reserved for the whole context and used block by
// block, in large pages where there are such: attention over a long context touches all of it for every
// token.
class KvCache {
 public:
  // Throws RuntimeError when the memory cannot be had.
  KvCache(const Config& config, std::size_t n_positions, kernels::CacheType type);

  kernels::CacheType type() const { return type_; }
  std::size_t capacity() const { return n_positions_; }
  std::size_t reserved_bytes() const { return memory_.size(); }
  // Of one position over all layers.
  std::size_t bytes_per_position() const { return n_layers_ * 2 * n_kv_heads_ * row_bytes_; }
  std::size_t block_stride() const { return n_layers_ * 2 * n_kv_heads_ * kernels::kKeyBlock * head_dim_; }

  // [head_dim] of one position; what follows in memory are the next positions of its block. The same place in
  // the next block is block_stride() elements on.
  void* key(std::size_t layer, std::size_t kv_head, std::size_t position) const {
    return at(0, layer, kv_head, position);
  }
  void* value(std::size_t layer, std::size_t kv_head, std::size_t position) const {
    return at(1, layer, kv_head, position);
  }

  // Calls visit(std::span<std::byte>) for each stretch of memory that holds something of positions
  // [begin, end). In an order that depends on these, the shape and the type alone; together
  // (end - begin) * bytes_per_position() bytes.
  template <typename Visit>
  void for_each_stretch(std::size_t begin, std::size_t end, Visit visit) const {
    constexpr std::size_t kBlock = kernels::kKeyBlock;
    for (std::size_t b = begin / kBlock; b * kBlock < end; ++b) {
      const std::size_t first = std::max(begin, b * kBlock) - b * kBlock;
      const std::size_t last = std::min(end, (b + 1) * kBlock) - b * kBlock;
      auto* const rows = static_cast<std::byte*>(at(0, 0, 0, b * kBlock));
      for (std::size_t i = 0; i < n_layers_ * 2 * n_kv_heads_; ++i) {
        visit(std::span(rows + (i * kBlock + first) * row_bytes_, (last - first) * row_bytes_));
      }
    }
  }

 private:
  void* at(std::size_t k_or_v, std::size_t layer, std::size_t kv_head, std::size_t position) const {
    constexpr std::size_t kBlock = kernels::kKeyBlock;
    const std::size_t block = position / kBlock * n_layers_ + layer;
    const std::size_t row = ((block * 2 + k_or_v) * n_kv_heads_ + kv_head) * kBlock + position % kBlock;
    return static_cast<std::byte*>(memory_.data()) + row * row_bytes_;
  }

  kernels::CacheType type_;
  std::size_t n_positions_;
  std::size_t n_layers_;
  std::size_t n_kv_heads_;
  std::size_t head_dim_;
  std::size_t row_bytes_;   // of one head at one position
  AnonymousMemory memory_;  // [n_blocks, n_layers, 2, n_kv_heads, kKeyBlock, head_dim]
};

}  // namespace bitnet
