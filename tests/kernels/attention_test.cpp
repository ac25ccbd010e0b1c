#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/half.h"
#include "kernels/backends.h"

namespace bitnet::kernels {
namespace {

constexpr CacheType kTypes[] = {CacheType::f16, CacheType::f32, CacheType::q8};

const char* name_of(CacheType type) {
  return type == CacheType::f16 ? "f16" : type == CacheType::f32 ? "f32" : "q8";
}

// Keys, or values, of one head in blocks as the kernels read them.
class Blocks {
 public:
  Blocks(CacheType type, std::size_t n, std::size_t head_dim, const std::vector<float>& x)
      : type_(type),
        head_dim_(head_dim),
        block_bytes_(kKeyBlock * cache_row_bytes(type, head_dim)),
        bytes_((n + kKeyBlock - 1) / kKeyBlock * block_bytes_, std::byte{0x7F}) {
    for (std::size_t j = 0; j < n; ++j) set(j, x.data() + j * head_dim);
  }

  void set(std::size_t j, const float* x) {
    for (std::size_t i = 0; i < head_dim_; ++i) {
      if (type_ == CacheType::f16) put(j, i, f32_to_f16(x[i]));
      if (type_ == CacheType::f32) put(j, i, x[i]);
    }
    if (type_ != CacheType::q8) return;
    float largest = 0x1p-100F;
    for (std::size_t i = 0; i < head_dim_; ++i) largest = std::max(largest, std::fabs(x[i]));
    const float scale = 127.0F / largest;
    for (std::size_t i = 0; i < head_dim_; ++i)
      put(j, i, static_cast<std::int8_t>(std::nearbyint(x[i] * scale)));
    set_unit(j, 1.0F / scale);
  }
  void poison(std::size_t j) {
    const std::vector<float> nans(head_dim_, kNan);
    if (type_ != CacheType::q8) return set(j, nans.data());
    for (std::size_t i = 0; i < head_dim_; ++i) put(j, i, std::int8_t{127});
    set_unit(j, kNan);
  }
  void set_unit(std::size_t j, float unit) {
    std::byte* const units = block_of(j) + kKeyBlock * head_dim_;
    std::memcpy(units + j % kKeyBlock * sizeof unit, &unit, sizeof unit);
  }
  double at(std::size_t j, std::size_t i) const {
    if (type_ == CacheType::f16) return static_cast<double>(f16_to_f32(get<std::uint16_t>(j, i)));
    if (type_ == CacheType::f32) return static_cast<double>(get<float>(j, i));
    float unit;
    std::memcpy(&unit, block_of(j) + kKeyBlock * head_dim_ + j % kKeyBlock * sizeof unit, sizeof unit);
    return static_cast<double>(get<std::int8_t>(j, i)) * static_cast<double>(unit);
  }
  const void* data() const { return bytes_.data(); }

 private:
  template <typename T>
  void put(std::size_t j, std::size_t i, T value) {
    std::memcpy(block_of(j) + (j % kKeyBlock * head_dim_ + i) * sizeof value, &value, sizeof value);
  }
  template <typename T>
  T get(std::size_t j, std::size_t i) const {
    T value;
    std::memcpy(&value, block_of(j) + (j % kKeyBlock * head_dim_ + i) * sizeof value, sizeof value);
    return value;
  }
  std::byte* block_of(std::size_t j) { return bytes_.data() + j / kKeyBlock * block_bytes_; }
  const std::byte* block_of(std::size_t j) const { return bytes_.data() + j / kKeyBlock * block_bytes_; }

  CacheType type_;
  std::size_t head_dim_;
  std::size_t block_bytes_;
  std::vector<std::byte> bytes_;
};

struct Shape {
  std::size_t n_queries;
  std::size_t n_keys;  // of the first token
  std::size_t head_dim;
  std::size_t n_tokens = 1;
  std::size_t window = 0;
};

struct Case {
  Case(CacheType of_type, const Shape& of_shape, float spread = 1.0F)
      : type(of_type),
        shape(of_shape),
        token_stride(of_shape.n_queries * of_shape.head_dim + 5),
        q(random_floats(of_shape.n_tokens * token_stride, 1, spread)),
        n_stored(of_shape.n_keys + of_shape.n_tokens + 2),  // three rows more than may be seen
        k(of_type, n_stored, of_shape.head_dim, random_floats(n_stored * of_shape.head_dim, 2, spread)),
        v(of_type, n_stored, of_shape.head_dim, random_floats(n_stored * of_shape.head_dim, 3)) {}

  std::size_t first_key(std::size_t token) const {
    const std::size_t end = shape.n_keys + token;
    return shape.window != 0 && end > shape.window ? end - shape.window : 0;
  }

  CacheType type;
  Shape shape;
  std::size_t token_stride;
  std::vector<float> q;  // [n_tokens, token_stride]
  std::size_t n_stored;
  Blocks k, v;
};

// [n_tokens, n_queries, head_dim] of tokens [first, first + n_tokens).
std::vector<float> run(const Kernels& kernels, const Case& c, std::size_t first, std::size_t n_tokens) {
  const std::size_t width = c.shape.n_queries * c.shape.head_dim;
  std::vector<float> out(n_tokens * c.token_stride, kNan);
  kernels.attention(c.type)({.q = c.q.data() + first * c.token_stride,
                             .k = c.k.data(),
                             .v = c.v.data(),
                             .n_queries = c.shape.n_queries,
                             .n_keys = c.shape.n_keys + first,
                             .head_dim = c.shape.head_dim,
                             .scale = 1.0F / std::sqrt(static_cast<float>(c.shape.head_dim)),
                             .out = out.data(),
                             .window = c.shape.window,
                             .n_tokens = n_tokens,
                             .token_stride = c.token_stride});
  std::vector<float> rows;
  for (std::size_t t = 0; t < n_tokens; ++t) {
    const auto row = out.begin() + static_cast<std::ptrdiff_t>(t * c.token_stride);
    rows.insert(rows.end(), row, row + static_cast<std::ptrdiff_t>(width));
    for (std::size_t i = width; i < c.token_stride; ++i)
      EXPECT_TRUE(std::isnan(out[t * c.token_stride + i])) << "wrote between tokens";
  }
  return rows;
}
std::vector<float> run(const Kernels& kernels, const Case& c) { return run(kernels, c, 0, c.shape.n_tokens); }

// By the formula, in double, all keys at once.
std::vector<double> by_definition(const Case& c) {
  std::vector<double> out;
  for (std::size_t t = 0; t < c.shape.n_tokens; ++t) {
    const std::size_t n_keys = c.shape.n_keys + t;
    for (std::size_t h = 0; h < c.shape.n_queries; ++h) {
      const float* q = c.q.data() + t * c.token_stride + h * c.shape.head_dim;
      std::vector<double> weight(n_keys);
      double largest = -HUGE_VAL;
      for (std::size_t j = c.first_key(t); j < n_keys; ++j) {
        for (std::size_t i = 0; i < c.shape.head_dim; ++i)
          weight[j] += static_cast<double>(q[i]) * c.k.at(j, i);
        weight[j] /= std::sqrt(static_cast<double>(c.shape.head_dim));
        largest = std::fmax(largest, weight[j]);
      }
      double sum = 0;
      for (std::size_t j = c.first_key(t); j < n_keys; ++j) sum += weight[j] = std::exp(weight[j] - largest);
      for (std::size_t i = 0; i < c.shape.head_dim; ++i) {
        double mixed = 0;
        for (std::size_t j = c.first_key(t); j < n_keys; ++j) mixed += weight[j] / sum * c.v.at(j, i);
        out.push_back(mixed);
      }
    }
  }
  return out;
}

// With int8, the query and the weights of a block are rounded to 16 bits beside.
double tolerance(CacheType type) { return type == CacheType::q8 ? 3e-4 : 2e-6; }

class AttentionKernel : public EveryBackend {};
BITNET_FOR_EVERY_BACKEND(AttentionKernel);

TEST_P(AttentionKernel, AgreesWithTheDefinitionAroundEveryBlockBoundary) {
  for (const CacheType type : kTypes) {
    for (const std::size_t n_keys : {1U, 2U, 15U, 16U, 17U, 63U, 64U, 65U, 127U, 128U, 129U, 300U}) {
      for (const std::size_t head_dim : {32U, 64U, 80U, 128U}) {
        const Case c(type, {.n_queries = n_keys % 5 + 1, .n_keys = n_keys, .head_dim = head_dim});
        const auto want = by_definition(c);
        const auto got = run(kernels(), c);
        for (std::size_t i = 0; i < want.size(); ++i) {
          ASSERT_NEAR(got[i], want[i], tolerance(type))
              << name_of(type) << ", " << n_keys << " keys, head_dim " << head_dim;
        }
      }
    }
  }
}

TEST_P(AttentionKernel, OnlyTheKeysOfTheWindowAreSeen) {
  for (const CacheType type : kTypes) {
    for (const std::size_t n_keys : {1U, 64U, 65U, 128U, 200U}) {
      for (const std::size_t window : {1U, 2U, 15U, 63U, 64U, 65U, 70U, 128U, 200U}) {
        Case c(type, {.n_queries = n_keys % 5 + 1, .n_keys = n_keys, .head_dim = 80, .window = window});
        const auto want = by_definition(c);
        for (std::size_t j = 0; j < c.first_key(0); ++j) {
          c.k.poison(j);
          c.v.poison(j);
        }
        const auto got = run(kernels(), c);
        EXPECT_TRUE(same_bits(got, run(scalar(), c))) << name_of(type) << ", " << n_keys << " of " << window;
        for (std::size_t i = 0; i < want.size(); ++i) {
          ASSERT_NEAR(got[i], want[i], tolerance(type))
              << name_of(type) << ", " << n_keys << " keys, window " << window;
        }
      }
    }
  }
}

// Tokens that are worked on together share nothing that shows: keys are widened once for all, the blocks in
// which some of them end or begin are taken apart.
TEST_P(AttentionKernel, TokensTogetherGiveTheBitsOfEachAlone) {
  for (const CacheType type : kTypes) {
    for (const std::size_t n_keys : {1U, 50U, 64U, 129U}) {
      for (const std::size_t window : {0U, 1U, 40U, 64U, 100U}) {
        for (const auto& [n_tokens, n_queries] : {std::pair{2U, 4U}, std::pair{5U, 1U}, std::pair{8U, 4U},
                                                  std::pair{9U, 3U}, std::pair{70U, 1U}}) {
          Case c(type, {.n_queries = n_queries,
                        .n_keys = n_keys,
                        .head_dim = 64,
                        .n_tokens = n_tokens,
                        .window = window});
          const std::string what = std::string(name_of(type)) + ", " + std::to_string(n_tokens) +
                                   " tokens of " + std::to_string(n_queries) + " queries, " +
                                   std::to_string(n_keys) + " keys, window " + std::to_string(window);
          for (std::size_t j = 0; j < c.first_key(0); ++j) {
            c.k.poison(j);
            c.v.poison(j);
          }
          for (std::size_t j = n_keys + n_tokens - 1; j < c.n_stored; ++j) {
            c.k.poison(j);
            c.v.poison(j);
          }
          const auto got = run(kernels(), c);
          std::vector<float> want;
          for (std::size_t t = 0; t < n_tokens; ++t) {
            const auto row = run(scalar(), c, t, 1);
            want.insert(want.end(), row.begin(), row.end());
          }
          EXPECT_TRUE(same_bits(got, want)) << what;
        }
      }
    }
  }
}

TEST_P(AttentionKernel, MoreQueryHeadsThanOneTurnTakesAgree) {
  for (const CacheType type : kTypes) {
    const Case c(type, {.n_queries = 37, .n_keys = 70, .head_dim = 32, .n_tokens = 2});
    const auto want = by_definition(c);
    const auto got = run(kernels(), c);
    for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance(type));
  }
}

// There is no mask to get wrong: what keys hold that a token must not see changes nothing.
TEST_P(AttentionKernel, KeysBeyondTheLastAreNeverSeen) {
  for (const CacheType type : kTypes) {
    for (const std::size_t n_keys : {1U, 13U, 64U, 77U}) {
      Case c(type, {.n_queries = 3, .n_keys = n_keys, .head_dim = 64});
      const auto clean = run(kernels(), c);
      for (std::size_t j = n_keys; j < c.n_stored; ++j) {
        c.k.poison(j);
        c.v.poison(j);
      }
      EXPECT_TRUE(same_bits(run(kernels(), c), clean)) << name_of(type) << ", " << n_keys;
    }
  }
}

// What a mask of -inf over a whole row would leave: no score is larger than -inf, and 0/0 must not come of
// it.
TEST_P(AttentionKernel, ScoresOfMinusInfinityGiveAFiniteResult) {
  for (const std::size_t n_keys : {1U, 5U, 64U, 70U}) {
    Case c(CacheType::f32, {.n_queries = 2, .n_keys = n_keys, .head_dim = 32});
    for (float& x : c.q) x = -std::numeric_limits<float>::infinity();
    const std::vector<float> ones(32, 1.0F);
    for (std::size_t j = 0; j < c.n_stored; ++j) c.k.set(j, ones.data());
    for (const float x : run(kernels(), c)) EXPECT_TRUE(std::isfinite(x)) << x;
  }
}

TEST_P(AttentionKernel, HugeScoresPickTheirKeyWithoutOverflow) {
  for (const CacheType type : kTypes) {
    const Case c(type, {.n_queries = 1, .n_keys = 100, .head_dim = 64}, 100.0F);
    const auto want = by_definition(c);
    const auto got = run(kernels(), c);
    for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 10 * tolerance(type) + 1e-4);
  }
}

TEST_P(AttentionKernel, GivesTheScalarBackendsBits) {
  for (const CacheType type : kTypes) {
    for (const std::size_t n_keys : {1U, 2U, 31U, 64U, 65U, 200U}) {
      for (const std::size_t head_dim : {2U, 30U, 64U, 80U, 96U, 128U, 130U, 256U}) {
        for (const float spread : {0.1F, 1.0F, 30.0F}) {
          const Case c(type, {.n_queries = 4, .n_keys = n_keys, .head_dim = head_dim, .n_tokens = 3}, spread);
          ASSERT_TRUE(same_bits(run(kernels(), c), run(scalar(), c)))
              << name_of(type) << ", " << n_keys << " keys, head_dim " << head_dim;
        }
      }
    }
  }
}

// Sums of a head of 4096 codes come as near to the end of 32 bits as they can.
TEST_P(AttentionKernel, TheLargestHeadsOfInt8DoNotOverflow) {
  for (const std::size_t head_dim : {512U, 518U, 4096U}) {
    Case c(CacheType::q8, {.n_queries = 2, .n_keys = 66, .head_dim = head_dim});
    std::vector<float> row(head_dim, 0.25F);
    for (std::size_t j = 0; j < c.n_stored; ++j) {
      c.k.set(j, row.data());
      for (float& x : row) x = -x;
    }
    for (float& x : c.q) x = 0.5F;
    const auto want = by_definition(c);
    const auto got = run(kernels(), c);
    for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 3e-4) << head_dim;
  }
}

TEST_P(AttentionKernel, NansInWhatIsSeenAreNotLostInInt8) {
  const auto all_nan = [](const std::vector<float>& out) {
    return std::ranges::all_of(out, [](float x) { return std::isnan(x); });
  };
  const Case clean(CacheType::q8, {.n_queries = 1, .n_keys = 70, .head_dim = 64});
  ASSERT_FALSE(all_nan(run(kernels(), clean)));
  Case key = clean;
  key.k.set_unit(66, kNan);
  EXPECT_TRUE(all_nan(run(kernels(), key)));
  Case value = clean;
  value.v.set_unit(3, kNan);
  EXPECT_TRUE(all_nan(run(kernels(), value)));
  for (const float bad : {kNan, std::numeric_limits<float>::infinity()}) {
    Case query = clean;
    query.q[5] = bad;
    EXPECT_TRUE(all_nan(run(kernels(), query)));
  }
}

class StoreQ8 : public EveryBackend {};
BITNET_FOR_EVERY_BACKEND(StoreQ8);

TEST_P(StoreQ8, RoundsToTheNearestOf127PartsOfTheLargest) {
  for (const std::size_t n : kOddLengths) {
    const auto x = random_floats(n, static_cast<unsigned>(n), 3.0F);
    std::vector<std::int8_t> codes(n + 1, 99);
    float unit = 0;
    kernels().store_q8(x.data(), codes.data(), &unit, n);
    EXPECT_EQ(codes[n], 99) << "wrote behind the end";
    const float largest = std::fabs(*std::ranges::max_element(x, {}, [](float v) { return std::fabs(v); }));
    EXPECT_NEAR(unit, largest / 127, 1e-6F * largest);
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_EQ(codes[i], static_cast<int>(std::nearbyint(x[i] * (127.0F / largest)))) << i;
    }
  }
}

TEST_P(StoreQ8, OfZerosIsZeroAndOfNansIsANanUnit) {
  std::vector<float> x(40, 0.0F);
  std::vector<std::int8_t> codes(40, 99);
  float unit = kNan;
  kernels().store_q8(x.data(), codes.data(), &unit, x.size());
  EXPECT_TRUE(std::isfinite(unit));
  EXPECT_EQ(codes, std::vector<std::int8_t>(40, 0));
  for (const std::size_t at : {0U, 17U, 39U}) {
    for (const float bad : {kNan, -std::numeric_limits<float>::infinity()}) {
      std::vector<float> with_bad = x;
      with_bad[at] = bad;
      kernels().store_q8(with_bad.data(), codes.data(), &unit, x.size());
      EXPECT_TRUE(std::isnan(unit)) << at;
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
