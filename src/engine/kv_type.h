// What a session's options call the cache's types.
#pragma once

#include <array>

#include "bitnet/session.h"
#include "kernels/kernels.h"

namespace bitnet {

inline constexpr std::array kKvTypes{KvType::f16, KvType::f32, KvType::q8};

constexpr kernels::CacheType cache_type(KvType type) {
  switch (type) {
    case KvType::f16:
      return kernels::CacheType::f16;
    case KvType::f32:
      return kernels::CacheType::f32;
    case KvType::q8:
      break;
  }
  return kernels::CacheType::q8;
}

}  // namespace bitnet
