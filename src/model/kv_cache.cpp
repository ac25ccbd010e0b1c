#include "model/kv_cache.h"

namespace bitnet {
namespace {

std::size_t total_bytes(const Config& c, std::size_t n_positions, std::size_t row_bytes) {
  std::size_t bytes = row_bytes;
  bool overflow = false;
  for (const std::size_t factor : {c.n_layers, std::size_t{2}, c.n_kv_heads, n_positions}) {
    overflow = __builtin_mul_overflow(bytes, factor, &bytes) || overflow;
  }
  return overflow ? static_cast<std::size_t>(-1) : bytes;  // more than can be had: the allocation reports it
}

}  // namespace

KvCache::KvCache(const Config& config, std::size_t n_positions, kernels::CacheType type)
    : type_(type),
      n_positions_(n_positions),
      n_kv_heads_(config.n_kv_heads),
      row_bytes_(config.head_dim * (type == kernels::CacheType::f16 ? sizeof(std::uint16_t) : sizeof(float))),
      memory_(total_bytes(config, n_positions, row_bytes_), "the KV cache") {}

}  // namespace bitnet
