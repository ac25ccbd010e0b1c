#include "model/kv_cache.h"

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
      row_bytes_(config.head_dim * (type == kernels::CacheType::f16 ? sizeof(std::uint16_t) : sizeof(float))),
      memory_(total_bytes(config, n_positions, row_bytes_), "the KV cache") {
  memory_.prefer_huge_pages();
}

}  // namespace bitnet
