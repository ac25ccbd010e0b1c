#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/half.h"
#include "kernels/backends.h"

namespace bitnet::kernels {
namespace {

struct Case {
  std::size_t n_queries;
  std::size_t n_keys;
  std::size_t head_dim;
  std::vector<float> q, k, v;  // k, v: [n_keys + 3, head_dim], three rows more than may be seen
  std::vector<std::uint16_t> k16, v16;
  std::size_t first_key = 0;
};

Case make_case(std::size_t n_queries, std::size_t n_keys, std::size_t head_dim, float spread = 1.0F) {
  Case c{n_queries,
         n_keys,
         head_dim,
         random_floats(n_queries * head_dim, 1, spread),
         random_floats((n_keys + 3) * head_dim, 2, spread),
         random_floats((n_keys + 3) * head_dim, 3),
         {},
         {},
         0};
  for (std::size_t i = 0; i < c.k.size(); ++i) {  // values that both cache types hold
    c.k16.push_back(f32_to_f16(c.k[i]));
    c.v16.push_back(f32_to_f16(c.v[i]));
    c.k[i] = f16_to_f32(c.k16[i]);
    c.v[i] = f16_to_f32(c.v16[i]);
  }
  return c;
}

std::vector<float> run(const Kernels& kernels, const Case& c, CacheType type) {
  std::vector<float> out(c.n_queries * c.head_dim, std::numeric_limits<float>::quiet_NaN());
  const bool f16 = type == CacheType::f16;
  const Attention a{.q = c.q.data(),
                    .k = f16 ? static_cast<const void*>(c.k16.data()) : c.k.data(),
                    .v = f16 ? static_cast<const void*>(c.v16.data()) : c.v.data(),
                    .n_queries = c.n_queries,
                    .n_keys = c.n_keys,
                    .head_dim = c.head_dim,
                    .scale = 1.0F / std::sqrt(static_cast<float>(c.head_dim)),
                    .out = out.data(),
                    .first_key = c.first_key};
  (f16 ? kernels.attention_f16 : kernels.attention_f32)(a);
  return out;
}

// By the formula, in double, all keys at once.
std::vector<double> by_definition(const Case& c) {
  std::vector<double> out(c.n_queries * c.head_dim, 0.0);
  for (std::size_t h = 0; h < c.n_queries; ++h) {
    std::vector<double> weight(c.n_keys);
    double largest = -HUGE_VAL;
    for (std::size_t j = c.first_key; j < c.n_keys; ++j) {
      for (std::size_t i = 0; i < c.head_dim; ++i) {
        weight[j] += static_cast<double>(c.q[h * c.head_dim + i]) * c.k[j * c.head_dim + i];
      }
      weight[j] /= std::sqrt(static_cast<double>(c.head_dim));
      largest = std::fmax(largest, weight[j]);
    }
    double sum = 0;
    for (std::size_t j = c.first_key; j < c.n_keys; ++j) sum += weight[j] = std::exp(weight[j] - largest);
    for (std::size_t j = c.first_key; j < c.n_keys; ++j) {
      for (std::size_t i = 0; i < c.head_dim; ++i)
        out[h * c.head_dim + i] += weight[j] / sum * c.v[j * c.head_dim + i];
    }
  }
  return out;
}

class AttentionKernel : public EveryBackend {};
BITNET_FOR_EVERY_BACKEND(AttentionKernel);

TEST_P(AttentionKernel, AgreesWithTheDefinitionAroundEveryBlockBoundary) {
  for (const std::size_t n_keys : {1U, 2U, 15U, 16U, 17U, 63U, 64U, 65U, 127U, 128U, 129U, 300U}) {
    for (const std::size_t head_dim : {32U, 64U, 80U, 128U}) {
      const Case c = make_case(n_keys % 5 + 1, n_keys, head_dim);
      const auto want = by_definition(c);
      for (const CacheType type : {CacheType::f16, CacheType::f32}) {
        const auto got = run(kernels(), c, type);
        for (std::size_t i = 0; i < want.size(); ++i) {
          ASSERT_NEAR(got[i], want[i], 2e-6) << n_keys << " keys, head_dim " << head_dim;
        }
      }
    }
  }
}

TEST_P(AttentionKernel, KeysBeforeTheFirstAreNotSeen) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const std::size_t n_keys : {1U, 64U, 65U, 128U, 200U}) {
    for (const std::size_t first_key : {0U, 1U, 15U, 63U, 64U, 65U, 130U, 199U}) {
      if (first_key >= n_keys) continue;
      Case c = make_case(n_keys % 5 + 1, n_keys, 80);
      c.first_key = first_key;
      const auto want = by_definition(c);
      for (std::size_t i = 0; i < first_key * c.head_dim; ++i) {
        c.k[i] = c.v[i] = kNan;
        c.k16[i] = c.v16[i] = 0x7E00;
      }
      for (const CacheType type : {CacheType::f16, CacheType::f32}) {
        const auto got = run(kernels(), c, type);
        EXPECT_EQ(got, run(scalar(), c, type)) << n_keys << " keys from " << first_key;
        for (std::size_t i = 0; i < want.size(); ++i) {
          ASSERT_NEAR(got[i], want[i], 2e-6) << n_keys << " keys from " << first_key;
        }
      }
    }
  }
}

TEST_P(AttentionKernel, MoreQueryHeadsThanOneTurnTakesAgree) {
  const Case c = make_case(37, 70, 32);
  const auto want = by_definition(c);
  const auto got = run(kernels(), c, CacheType::f32);
  for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 2e-6);
}

// There is no mask to get wrong: keys that a token must not see are never read.
TEST_P(AttentionKernel, KeysBeyondTheLastAreNeverRead) {
  for (const std::size_t n_keys : {1U, 13U, 64U, 77U}) {
    Case c = make_case(3, n_keys, 64);
    const auto clean32 = run(kernels(), c, CacheType::f32);
    const auto clean16 = run(kernels(), c, CacheType::f16);
    for (std::size_t i = n_keys * c.head_dim; i < c.k.size(); ++i) {
      c.k[i] = c.v[i] = std::numeric_limits<float>::quiet_NaN();
      c.k16[i] = c.v16[i] = 0x7E00;
    }
    EXPECT_EQ(run(kernels(), c, CacheType::f32), clean32);
    EXPECT_EQ(run(kernels(), c, CacheType::f16), clean16);
  }
}

// What a mask of -inf over a whole row would leave: no score is larger than -inf, and 0/0 must not come of
// it.
TEST_P(AttentionKernel, ScoresOfMinusInfinityGiveAFiniteResult) {
  for (const std::size_t n_keys : {1U, 5U, 64U, 70U}) {
    Case c = make_case(2, n_keys, 32);
    for (float& x : c.q) x = -std::numeric_limits<float>::infinity();
    for (float& x : c.k) x = 1.0F;
    const auto got = run(kernels(), c, CacheType::f32);
    for (const float x : got) EXPECT_TRUE(std::isfinite(x)) << x;
  }
}

TEST_P(AttentionKernel, HugeScoresPickTheirKeyWithoutOverflow) {
  Case c = make_case(1, 100, 64, 100.0F);
  const auto want = by_definition(c);
  const auto got = run(kernels(), c, CacheType::f32);
  for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-4);
}

TEST_P(AttentionKernel, GivesTheScalarBackendsBits) {
  for (const std::size_t n_keys : {1U, 2U, 31U, 64U, 65U, 200U}) {
    for (const std::size_t head_dim : {2U, 30U, 64U, 80U, 128U}) {
      for (const float spread : {0.1F, 1.0F, 30.0F}) {
        const Case c = make_case(4, n_keys, head_dim, spread);
        for (const CacheType type : {CacheType::f16, CacheType::f32}) {
          const auto ours = run(kernels(), c, type);
          const auto want = run(scalar(), c, type);
          ASSERT_EQ(std::memcmp(ours.data(), want.data(), want.size() * sizeof(float)), 0)
              << n_keys << " " << head_dim;
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
