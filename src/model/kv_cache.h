// The keys and values of every position so far, made once per session.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "base/buffer.h"
#include "kernels/kernels.h"
#include "model/config.h"

namespace bitnet {

// Positions come in blocks of kernels::kKeyBlock. One sequence may have them all, in order; or several have
// some each, in an order that each of them knows: then a place is the block's number * kKeyBlock and what the
// position is within it. In a block each layer and kv head has the keys of its positions next to each other,
// then their values, then the next head's: attention reads straight on. Memory is reserved for the whole
// context and used block by block, in large pages where there are such: attention over a long context touches
// all of it for every token.
class KvCache {
 public:
  // Throws RuntimeError when the memory cannot be had.
  KvCache(const Config& config, std::size_t n_positions, kernels::CacheType type);

  kernels::CacheType type() const { return type_; }
  std::size_t capacity() const { return n_positions_; }
  std::size_t reserved_bytes() const { return memory_.size(); }
  // Of one position over all layers.
  std::size_t bytes_per_position() const { return n_layers_ * 2 * n_kv_heads_ * row_bytes_; }
  // Bytes from a block of positions to the next, wherever in it one looks.
  std::size_t block_stride() const { return kernels::kKeyBlock * bytes_per_position(); }
  // And from a kv head of a layer to the next, within a block.
  std::size_t head_stride() const { return 2 * kernels::kKeyBlock * row_bytes_; }

  // Where attention finds the first block.
  const void* keys(std::size_t layer, std::size_t kv_head) const { return block(0, layer, kKeys, kv_head); }
  const void* values(std::size_t layer, std::size_t kv_head) const {
    return block(0, layer, kValues, kv_head);
  }

  // Rounds x, [head_dim], to what the cache holds.
  void store_key(const kernels::Kernels& kernels, std::size_t layer, std::size_t kv_head, std::size_t place,
                 const float* x) const {
    store(kernels, layer, kKeys, kv_head, place, x);
  }
  void store_value(const kernels::Kernels& kernels, std::size_t layer, std::size_t kv_head, std::size_t place,
                   const float* x) const {
    store(kernels, layer, kValues, kv_head, place, x);
  }

  // Where a part of its memory comes from, as a file that is mapped there: goes with the memory, or when
  // there is another for what begins at the same place.
  void keep(const std::byte* begin, std::shared_ptr<const void> source) {
    sources_.insert_or_assign(begin, std::move(source));
  }

  // Copies what the first n positions of block `from` hold to block `to`.
  void copy(std::size_t from, std::size_t to, std::size_t n) const;

  // Calls visit(std::span<std::byte>) for each stretch of memory that holds something of positions
  // [begin, end). In an order and of sizes that depend on these, the shape and the type alone; together
  // (end - begin) * bytes_per_position() bytes.
  template <typename Visit>
  void for_each_stretch(std::size_t begin, std::size_t end, Visit visit) const {
    constexpr std::size_t kBlock = kernels::kKeyBlock;
    const std::size_t n_of_block = n_layers_ * 2 * n_kv_heads_;
    for (std::size_t b = begin / kBlock; b * kBlock < end; ++b) {
      const std::size_t first = std::max(begin, b * kBlock) - b * kBlock;
      const std::size_t last = std::min(end, (b + 1) * kBlock) - b * kBlock;
      for (std::size_t i = 0; i < n_of_block; ++i) {
        std::byte* const rows = bytes() + b * block_stride() + i * kBlock * row_bytes_;
        visit(std::span(rows + first * values_bytes_, rows + last * values_bytes_));
        if (type_ != kernels::CacheType::q8) continue;
        std::byte* const units = rows + kBlock * values_bytes_;
        visit(std::span(units + first * sizeof(float), units + last * sizeof(float)));
      }
    }
  }

 private:
  static constexpr std::size_t kKeys = 0;
  static constexpr std::size_t kValues = 1;

  std::byte* bytes() const { return static_cast<std::byte*>(memory_.data()); }
  // Rows [kKeyBlock, head_dim], for q8 then units [kKeyBlock].
  std::byte* block(std::size_t number, std::size_t layer, std::size_t k_or_v, std::size_t kv_head) const {
    const std::size_t i = (layer * n_kv_heads_ + kv_head) * 2 + k_or_v;
    return bytes() + number * block_stride() + i * kernels::kKeyBlock * row_bytes_;
  }
  void store(const kernels::Kernels& kernels, std::size_t layer, std::size_t k_or_v, std::size_t kv_head,
             std::size_t place, const float* x) const;

  kernels::CacheType type_;
  std::size_t n_positions_;
  std::size_t n_layers_;
  std::size_t n_kv_heads_;
  std::size_t head_dim_;
  std::size_t values_bytes_;  // of one head at one position, without a unit
  std::size_t row_bytes_;     // and with it
  AnonymousMemory memory_;    // [n_blocks, n_layers, n_kv_heads, 2] of kKeyBlock rows, and units
  std::map<const std::byte*, std::shared_ptr<const void>> sources_;
};

}  // namespace bitnet
