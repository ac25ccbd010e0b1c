// Attention of several kv heads in one call, as sequences that decode together ask for it.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/backends.h"

namespace bitnet::kernels {
namespace {

constexpr std::size_t kHeadDim = 40;
constexpr std::size_t kGap = 192;  // bytes that are nobody's, behind each head of a block

struct HeadsShape {
  std::size_t n_kv_heads;
  std::size_t n_queries;
  std::size_t n_keys;
  std::size_t n_tokens = 1;
  std::size_t window = 0;
};

// Keys and values of all heads, block by block, and the blocks in an order of their own. What no token may
// see is NaN.
class HeadsCase {
 public:
  HeadsCase(CacheType type, const HeadsShape& shape)
      : type_(type),
        shape_(shape),
        n_blocks_((shape.n_keys + shape.n_tokens + kKeyBlock - 1) / kKeyBlock),
        block_bytes_(kKeyBlock * cache_row_bytes(type, kHeadDim)),
        memory_(n_blocks_ * block_stride(), std::byte{0x7F}),
        q_(random_floats(shape.n_tokens * token_stride(), 1)) {
    for (std::size_t b = 0; b < n_blocks_; ++b)
      order_.push_back(static_cast<std::uint32_t>(n_blocks_ - 1 - b));
    const std::vector<float> x = random_floats(n_seen() * shape.n_kv_heads * 2 * kHeadDim, 2);
    for (std::size_t i = 0; i < n_seen() * shape.n_kv_heads * 2; ++i) {
      store(i / (2 * shape.n_kv_heads), i / 2 % shape.n_kv_heads, i % 2, x.data() + i * kHeadDim);
    }
  }

  // [n_tokens, n_heads * n_queries, head_dim] of heads [first, first + n_heads).
  std::vector<float> run(const Kernels& kernels, std::size_t first, std::size_t n_heads) const {
    const std::size_t width = n_heads * shape_.n_queries * kHeadDim;
    std::vector<float> out(shape_.n_tokens * token_stride(), kNan);
    const std::size_t at = first * shape_.n_queries * kHeadDim;
    kernels.attention(type_)({.q = q_.data() + at,
                              .k = memory_.data() + first * head_stride(),
                              .v = memory_.data() + first * head_stride() + block_bytes_,
                              .n_queries = shape_.n_queries,
                              .n_keys = shape_.n_keys,
                              .head_dim = kHeadDim,
                              .scale = 1.0F / std::sqrt(static_cast<float>(kHeadDim)),
                              .out = out.data() + at,
                              .block_stride = block_stride(),
                              .n_kv_heads = n_heads,
                              .head_stride = head_stride(),
                              .blocks = order_.data(),
                              .window = shape_.window,
                              .n_tokens = shape_.n_tokens,
                              .token_stride = token_stride()});
    std::vector<float> rows;
    for (std::size_t t = 0; t < shape_.n_tokens; ++t) {
      for (std::size_t i = 0; i < token_stride(); ++i) {
        const float x = out[t * token_stride() + i];
        if (i >= at && i < at + width) {
          rows.push_back(x);
        } else {
          EXPECT_TRUE(std::isnan(x)) << "wrote beside its heads";
        }
      }
    }
    return rows;
  }

  // The same of all heads, one call for each.
  std::vector<float> run_apart(const Kernels& kernels) const {
    const std::size_t width = shape_.n_queries * kHeadDim;
    std::vector<float> all(shape_.n_tokens * shape_.n_kv_heads * width);
    for (std::size_t head = 0; head < shape_.n_kv_heads; ++head) {
      const std::vector<float> one = run(kernels, head, 1);
      for (std::size_t t = 0; t < shape_.n_tokens; ++t) {
        std::memcpy(all.data() + (t * shape_.n_kv_heads + head) * width, one.data() + t * width,
                    width * sizeof(float));
      }
    }
    return all;
  }

 private:
  std::size_t token_stride() const { return shape_.n_kv_heads * shape_.n_queries * kHeadDim + 5; }
  std::size_t n_seen() const { return shape_.n_keys + shape_.n_tokens - 1; }
  std::size_t head_stride() const { return 2 * block_bytes_ + kGap; }
  std::size_t block_stride() const { return shape_.n_kv_heads * head_stride(); }

  void store(std::size_t position, std::size_t head, std::size_t is_value, const float* x) {
    std::byte* const block = memory_.data() + order_[position / kKeyBlock] * block_stride() +
                             head * head_stride() + is_value * block_bytes_;
    const std::size_t row = position % kKeyBlock;
    if (type_ == CacheType::f32) std::memcpy(block + row * 4 * kHeadDim, x, 4 * kHeadDim);
    if (type_ == CacheType::f16) {
      find("scalar").store_f16(x, reinterpret_cast<std::uint16_t*>(block + row * 2 * kHeadDim), kHeadDim);
    }
    if (type_ == CacheType::q8) {
      auto* const units = reinterpret_cast<float*>(block + kKeyBlock * kHeadDim);
      find("scalar").store_q8(x, reinterpret_cast<std::int8_t*>(block + row * kHeadDim), units + row,
                              kHeadDim);
    }
  }

  CacheType type_;
  HeadsShape shape_;
  std::size_t n_blocks_;
  std::size_t block_bytes_;
  std::vector<std::byte> memory_;
  std::vector<float> q_;
  std::vector<std::uint32_t> order_;
};

class AttentionOfHeads : public EveryBackend {};
BITNET_FOR_EVERY_BACKEND(AttentionOfHeads);

TEST_P(AttentionOfHeads, GivesTheBitsOfEachHeadAlone) {
  for (const CacheType type : {CacheType::f16, CacheType::f32, CacheType::q8}) {
    for (const std::size_t n_keys : {1U, 63U, 64U, 65U, 200U}) {
      // The last of these have more rows than a turn takes: of 32, whole heads only.
      for (const HeadsShape& shape :
           {HeadsShape{2, 1, n_keys}, HeadsShape{5, 4, n_keys}, HeadsShape{5, 4, n_keys, 1, 70},
            HeadsShape{3, 2, n_keys, 4}, HeadsShape{2, 4, n_keys, 3, 50}, HeadsShape{9, 5, n_keys},
            HeadsShape{4, 8, n_keys, 3}, HeadsShape{2, 33, n_keys}}) {
        const HeadsCase c(type, shape);
        const std::vector<float> together = c.run(kernels(), 0, shape.n_kv_heads);
        for (const float x : together) ASSERT_FALSE(std::isnan(x));
        EXPECT_TRUE(same_bits(together, c.run_apart(scalar())))
            << "type " << static_cast<int>(type) << ", " << shape.n_kv_heads << " heads of "
            << shape.n_queries << " queries, " << shape.n_tokens << " tokens, " << n_keys << " keys, window "
            << shape.window;
      }
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
