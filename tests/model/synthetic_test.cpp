#include "model/synthetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "bitnet/model.h"
#include "bitnet/session.h"
#include "gguf/gguf.h"
#include "model/model_impl.h"

namespace bitnet {
namespace {

std::span<const std::byte> bytes_of(const AnonymousMemory& memory) {
  return {static_cast<const std::byte*>(memory.data()), memory.size()};
}

AnonymousMemory make_tiny(std::uint64_t seed, unsigned n_threads = 1) {
  ThreadPool pool(n_threads);
  return make_synthetic_model(*find_synthetic_preset("tiny"), seed, pool);
}

TEST(SyntheticModel, GivesFiniteLogitsOfOrdinarySize) {
  const AnonymousMemory memory = make_tiny(1);
  const Model model = Model::from_bytes(bytes_of(memory), "tiny");
  Session session(model, {.n_threads = 1});
  std::vector<TokenId> tokens(100);
  for (std::int32_t i = 0; i < 100; ++i) tokens[static_cast<std::size_t>(i)] = TokenId{i * 37 % 320};
  double squares = 0;
  std::size_t n = 0;
  session.run_all(tokens, [&](Position, std::span<const float> logits) {
    for (const float logit : logits) {
      ASSERT_TRUE(std::isfinite(logit));
      squares += static_cast<double>(logit) * static_cast<double>(logit);
      ++n;
    }
  });
  const double expected = 0.05 * std::sqrt(256.0);  // 256 products of the embedding and a normalised state
  EXPECT_GT(std::sqrt(squares / static_cast<double>(n)), expected / 2);
  EXPECT_LT(std::sqrt(squares / static_cast<double>(n)), expected * 2);
}

TEST(SyntheticModel, TellsHowFarItIsAndIsGivenUpOnRequest) {
  ThreadPool pool(1);
  const SyntheticShape& shape = *find_synthetic_preset("tiny");
  std::vector<double> shares;
  make_synthetic_model(shape, 1, pool, [&](double share) {
    shares.push_back(share);
    return true;
  });
  ASSERT_GT(shares.size(), 10U);
  EXPECT_TRUE(std::ranges::is_sorted(shares));
  EXPECT_GE(shares.front(), 0);
  EXPECT_LT(shares.back(), 1);
  std::size_t n_asked = 0;
  EXPECT_THROW(make_synthetic_model(shape, 1, pool, [&](double) { return ++n_asked < 5; }), RuntimeError);
  EXPECT_EQ(n_asked, 5U);
}

TEST(SyntheticModel, SameSeedSameBytesWhateverTheThreads) {
  const AnonymousMemory one = make_tiny(7);
  const AnonymousMemory three = make_tiny(7, 3);
  EXPECT_TRUE(std::ranges::equal(bytes_of(one), bytes_of(three)));
}

TEST(SyntheticModel, AnotherSeedGivesOtherWeightsEverywhere) {
  const AnonymousMemory a = make_tiny(1);
  const AnonymousMemory b = make_tiny(2);
  const gguf::File first = gguf::File::from_bytes(bytes_of(a), "a");
  const gguf::File second = gguf::File::from_bytes(bytes_of(b), "b");
  for (const gguf::Tensor& tensor : first.tensors()) {
    EXPECT_FALSE(std::ranges::equal(tensor.extent, second.find_tensor(tensor.name)->extent)) << tensor.name;
  }
}

TEST(SyntheticModel, NoTwoTensorsHoldTheSame) {
  const AnonymousMemory memory = make_tiny(1);
  const gguf::File file = gguf::File::from_bytes(bytes_of(memory), "tiny");
  for (const gguf::Tensor& a : file.tensors()) {
    for (const gguf::Tensor& b : file.tensors()) {
      if (&a != &b && a.extent.size() == b.extent.size()) {
        EXPECT_FALSE(std::ranges::equal(a.extent, b.extent)) << a.name << " and " << b.name;
      }
    }
  }
}

TEST(SyntheticModel, EveryTernaryCodeIsAboutEquallyLikely) {
  const AnonymousMemory memory = make_tiny(1);
  const Model model = Model::from_bytes(bytes_of(memory), "tiny");
  const quant::Matrix& w = model.impl().weights.layers[1].ffn_up;
  std::array<std::size_t, 3> count{};
  std::vector<float> row(w.cols);
  for (std::size_t r = 0; r < w.rows; ++r) {
    quant::info(w.type).decode_row(w, r, row.data());
    for (const float value : row) ++count[static_cast<std::size_t>(std::lround(value / w.scale) + 1)];
  }
  for (const std::size_t n : count) {
    EXPECT_NEAR(static_cast<double>(n) / static_cast<double>(w.rows * w.cols), 1.0 / 3.0, 0.01);
  }
}

TEST(SyntheticModel, EveryPresetIsKnownByItsName) {
  for (const SyntheticShape& shape : synthetic_presets()) {
    EXPECT_EQ(find_synthetic_preset(shape.name), &shape);
    EXPECT_NE(synthetic_preset_names().find(shape.name), std::string::npos);
    EXPECT_EQ(shape.hidden % 128, 0U);
    EXPECT_EQ(shape.ffn % 128, 0U);
  }
  EXPECT_EQ(find_synthetic_preset("2b"), nullptr);
}

}  // namespace
}  // namespace bitnet
