#include "model/kv_cache.h"

#include <cstring>

namespace bitnet {
namespace {

std::size_t total_bytes(const Config& c, std::size_t n_positions, std::size_t row_bytes) {
  std::size_t bytes = row_bytes;
  bool overflow = false;
  const std::size_t n_blocks = n_positions / kernels::kKeyBlock + (n_positions % kernels::kKeyBlock != 0);
  for (const std::size_t factor : {n_blocks, c.n_layers, std::size_t{2}, c.n_kv_heads, kernels::kKeyBlock}) {
    overflow = __builtin_mul_overflow(bytes, factor, &bytes) || overflow;
  }
  return overflow ? static_cast<std::size_t>(-1) : bytes;  // more than can be had: the allocation reports it
}

}  // namespace

KvCache::KvCache(const Config& config, std::size_t n_positions, kernels::CacheType type)
    : type_(type),
      n_positions_(n_positions),
      n_layers_(config.n_layers),
      n_kv_heads_(config.n_kv_heads),
      head_dim_(config.head_dim),
      values_bytes_(type == kernels::CacheType::q8 ? config.head_dim
                                                   : kernels::cache_row_bytes(type, config.head_dim)),
      row_bytes_(kernels::cache_row_bytes(type, config.head_dim)),
      memory_(total_bytes(config, n_positions, row_bytes_),
              {"the KV cache", "use a smaller context, or free some"}) {
  memory_.prefer_huge_pages();
}

void KvCache::store(const kernels::Kernels& kernels, std::size_t layer, std::size_t k_or_v,
                    std::size_t kv_head, std::size_t place, const float* x) const {
  constexpr std::size_t kBlock = kernels::kKeyBlock;
  std::byte* const rows = block(place / kBlock, layer, k_or_v, kv_head);
  std::byte* const row = rows + place % kBlock * values_bytes_;
  switch (type_) {
    case kernels::CacheType::f16:
      return kernels.store_f16(x, reinterpret_cast<std::uint16_t*>(row), head_dim_);
    case kernels::CacheType::f32:
      std::memcpy(row, x, values_bytes_);
      return;
    case kernels::CacheType::q8: {
      auto* const units = reinterpret_cast<float*>(rows + kBlock * values_bytes_);
      return kernels.store_q8(x, reinterpret_cast<std::int8_t*>(row), units + place % kBlock, head_dim_);
    }
  }
}

void KvCache::copy(std::size_t from, std::size_t to, std::size_t n) const {
  constexpr std::size_t kBlock = kernels::kKeyBlock;
  const std::ptrdiff_t distance = (static_cast<std::ptrdiff_t>(to) - static_cast<std::ptrdiff_t>(from)) *
                                  static_cast<std::ptrdiff_t>(block_stride());
  for_each_stretch(from * kBlock, from * kBlock + n, [&](std::span<std::byte> stretch) {
    std::memcpy(stretch.data() + distance, stretch.data(), stretch.size());
  });
}

}  // namespace bitnet
