#include "model/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace bitnet {
namespace {

constexpr std::size_t kLayers = 2;
constexpr std::size_t kHeads = 3;
constexpr std::size_t kHeadDim = 10;
constexpr kernels::CacheType kTypes[] = {kernels::CacheType::f16, kernels::CacheType::f32,
                                         kernels::CacheType::q8};

Config small_config() {
  Config c;
  c.n_layers = kLayers;
  c.n_kv_heads = kHeads;
  c.head_dim = kHeadDim;
  return c;
}

const kernels::Kernels& scalar() { return kernels::find("scalar"); }

// Other values for every layer, head and position.
void fill(const KvCache& cache, std::size_t begin, std::size_t end, float of_cache) {
  std::vector<float> x(kHeadDim);
  for (std::size_t layer = 0; layer < kLayers; ++layer) {
    for (std::size_t head = 0; head < kHeads; ++head) {
      for (std::size_t position = begin; position < end; ++position) {
        for (std::size_t i = 0; i < kHeadDim; ++i)
          x[i] = of_cache * static_cast<float>(i + 1 + 100 * (position + 200 * (head + kHeads * layer)));
        cache.store_key(scalar(), layer, head, position, x.data());
        for (float& v : x) v = -v;
        cache.store_value(scalar(), layer, head, position, x.data());
      }
    }
  }
}

std::vector<std::byte> bytes_of(const KvCache& cache, std::size_t begin, std::size_t end) {
  std::vector<std::byte> all;
  cache.for_each_stretch(begin, end, [&](std::span<const std::byte> stretch) {
    all.insert(all.end(), stretch.begin(), stretch.end());
  });
  return all;
}

TEST(KvCacheTest, TakesWhatItsTypeTakes) {
  const std::size_t rows = kLayers * 2 * kHeads;
  EXPECT_EQ(KvCache(small_config(), 5, kernels::CacheType::f16).bytes_per_position(), rows * 2 * kHeadDim);
  EXPECT_EQ(KvCache(small_config(), 5, kernels::CacheType::f32).bytes_per_position(), rows * 4 * kHeadDim);
  EXPECT_EQ(KvCache(small_config(), 5, kernels::CacheType::q8).bytes_per_position(),
            rows * (kHeadDim + sizeof(float)));
}

// Stretches lie in the cache, none twice, and what is behind each row lies in those of its position alone.
TEST(KvCacheTest, StretchesHoldExactlyTheirPositions) {
  for (const kernels::CacheType type : kTypes) {
    const KvCache cache(small_config(), 150, type);
    fill(cache, 0, 150, 1.0F);
    for (const auto& [begin, end] : {std::pair<std::size_t, std::size_t>{0, 0},
                                     {0, 1},
                                     {0, 150},
                                     {63, 65},
                                     {64, 128},
                                     {10, 60},
                                     {149, 150}}) {
      const std::vector<std::byte> before = bytes_of(cache, 0, 150);
      std::vector<std::byte> others = bytes_of(cache, 0, begin);
      const std::vector<std::byte> behind = bytes_of(cache, end, 150);
      others.insert(others.end(), behind.begin(), behind.end());
      EXPECT_EQ(bytes_of(cache, begin, end).size(), (end - begin) * cache.bytes_per_position());
      EXPECT_EQ(others.size() + (end - begin) * cache.bytes_per_position(), before.size());

      fill(cache, begin, end, 3.0F);
      std::vector<std::byte> others_now = bytes_of(cache, 0, begin);
      const std::vector<std::byte> behind_now = bytes_of(cache, end, 150);
      others_now.insert(others_now.end(), behind_now.begin(), behind_now.end());
      EXPECT_EQ(others_now, others) << begin << " to " << end;
      EXPECT_EQ(bytes_of(cache, 0, 150) == before, begin == end);
      fill(cache, begin, end, 1.0F);
      EXPECT_EQ(bytes_of(cache, 0, 150), before);
    }
  }
}

TEST(KvCacheTest, StretchesCarryPositionsToAnotherCache) {
  for (const kernels::CacheType type : kTypes) {
    const KvCache from(small_config(), 150, type);
    fill(from, 0, 150, 1.0F);
    const KvCache to(small_config(), 200, type);
    const std::vector<std::byte> bytes = bytes_of(from, 0, 77);
    std::size_t at = 0;
    to.for_each_stretch(0, 77, [&](std::span<std::byte> stretch) {
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), stretch.size(), stretch.begin());
      at += stretch.size();
    });
    EXPECT_EQ(at, bytes.size());
    // Where attention looks: the first block whole, of the second what was carried.
    for (std::size_t layer = 0; layer < kLayers; ++layer) {
      for (std::size_t head = 0; head < kHeads; ++head) {
        const std::size_t block = kernels::kKeyBlock * kernels::cache_row_bytes(type, kHeadDim);
        EXPECT_EQ(std::memcmp(from.keys(layer, head), to.keys(layer, head), block), 0);
        EXPECT_EQ(std::memcmp(from.values(layer, head), to.values(layer, head), block), 0);
      }
    }
    EXPECT_EQ(bytes_of(to, 0, 77), bytes);
  }
}

}  // namespace
}  // namespace bitnet
