#include "model/synthetic/synthetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/half.h"
#include "bitnet/error.h"
#include "bitnet/model.h"
#include "bitnet/session.h"
#include "gguf/gguf.h"
#include "model/model_impl.h"
#include "quant/file_types.h"
#include "support/text_holds.h"

namespace bitnet {
namespace {

using test::has;

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

// A small shape of each family.
SyntheticShape small_synthetic(std::string_view architecture) {
  SyntheticShape shape = *find_synthetic_preset("tiny");
  shape.architecture = architecture;
  if (find_synthetic_family(architecture)->experts) {
    shape.n_experts = 4;
    shape.n_experts_used = 2;
    shape.head_type = "f16";
  }
  return shape;
}

void expect_synthetic_runs(const SyntheticShape& shape) {
  SCOPED_TRACE(std::string(shape.architecture) + ", " + std::string(shape.type) + ", " +
               std::string(shape.embedding_type) + ", " + std::string(shape.head_type));
  ThreadPool pool(1);
  const AnonymousMemory memory = make_synthetic_model(shape, 3, pool);
  const Model model = Model::from_bytes(bytes_of(memory), "synthetic");
  EXPECT_TRUE(model.info().notes.empty());
  EXPECT_TRUE(model.info().assumptions.empty());
  Session session(model, {.ctx_size = 4, .n_threads = 1});
  double squares = 0;
  session.run_all(std::vector{TokenId{3}, TokenId{1}, TokenId{7}}, [&](Position, std::span<const float> row) {
    for (const float v : row) squares += static_cast<double>(v) * static_cast<double>(v);
  });
  const double rms = std::sqrt(squares / 3 / static_cast<double>(shape.vocab));
  const double expected = 0.05 * std::sqrt(static_cast<double>(shape.hidden));
  EXPECT_GT(rms, expected / 3);
  EXPECT_LT(rms, expected * 3);
}

TEST(SyntheticModel, OfEveryFamilyRuns) {
  for (const SyntheticFamily& family : synthetic_families()) {
    SyntheticShape shape = small_synthetic(family.architecture);
    expect_synthetic_runs(shape);
    shape.head_type = "q6_k";
    shape.head_dim = 128;
    expect_synthetic_runs(shape);
  }
}

TEST(SyntheticModel, OfEveryTypeRuns) {
  for (const SyntheticType& type : synthetic_types()) {
    SyntheticShape shape = small_synthetic("llama");
    shape.type = type.name;
    expect_synthetic_runs(shape);
    shape.embedding_type = type.name;
    shape.head_type = type.name;
    if (type.name != "i2_s")
      expect_synthetic_runs(shape);  // whose scale is made for products, not for an embedding
  }
}

// Of every type, over memory that held something else.
TEST(SyntheticType, FillsEveryBlockWithWeightsOfItsDeviation) {
  for (const SyntheticType& type : synthetic_types()) {
    if (type.tail_bytes() > 0) continue;  // its scale is for the whole tensor
    constexpr std::size_t kCols = 256;
    constexpr std::size_t kRows = 64;
    const std::size_t n = kRows * kCols / type.block();
    std::vector<std::byte> data(n * type.block_bytes(), std::byte{0xFF});
    SyntheticRandom random(2);
    type.fill(data.data(), n, BlockSource(2, 0.25F, type.draws_normals), random);
    const quant::TypeInfo* info = quant::find_type(
        {.id = type.id(), .rows = kRows, .cols = kCols, .room = data.size(), .alignment = 1});
    ASSERT_NE(info, nullptr) << type.name;
    std::vector<float> row(kCols);
    for (std::size_t r = 0; r < kRows; ++r) {
      info->decode_row({info->type, kRows, kCols, data.data(), 1.0F}, r, row.data());
      double squares = 0;
      for (const float v : row) squares += static_cast<double>(v) * static_cast<double>(v);
      EXPECT_NEAR(std::sqrt(squares / kCols), 0.25, 0.07) << type.name << ", row " << r;
    }
  }
}

// Where each format has its scale, and what it holds.
TEST(SyntheticType, OfTwoBitsHasThreeCodesAndAScaleInEveryBlock) {
  struct Format {
    std::string_view name;
    std::size_t scale_at;
  };
  for (const auto& [name, scale_at] :
       {Format{"tq2_0", 64}, Format{"q2_0", 0}, Format{"q2_0-64", 0}, Format{"pq2_0", 0}}) {
    const SyntheticType& type = *find_synthetic_type(name);
    std::vector<std::byte> blocks(100 * type.block_bytes());
    SyntheticRandom random(1);
    type.fill(blocks.data(), 100, BlockSource(1, 0.1F, false), random);
    std::array<std::size_t, 4> n{};
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const std::size_t at = i % type.block_bytes();
      if (at == scale_at) {
        std::uint16_t half = 0;
        std::memcpy(&half, &blocks[i], 2);
        EXPECT_NEAR(f16_to_f32(half), 0.1F * std::sqrt(1.5F), 0.013F) << name;
      }
      if (at == scale_at || at == scale_at + 1) continue;
      for (int bit = 0; bit < 8; bit += 2) ++n[static_cast<std::size_t>(blocks[i] >> bit & std::byte{3})];
    }
    EXPECT_EQ(n[3], 0U) << name;
    EXPECT_EQ(n[0] + n[1] + n[2], 100 * type.block()) << name;
    for (std::size_t code = 0; code < 3; ++code) {
      EXPECT_NEAR(static_cast<double>(n[code]) / static_cast<double>(100 * type.block()), 1.0 / 3, 0.03)
          << name;
    }
  }
}

// Trit k of byte b is ((b * 3^k mod 256) * 3) >> 8.
TEST(SyntheticType, OfTritsHasEachEquallyOftenAndInEveryPlace) {
  struct Format {
    std::string_view name;
    std::size_t fives;
    std::size_t fours;
  };
  for (const auto& [name, fives, fours] : {Format{"tq1_0", 48, 4}, Format{"ptq1_0", 24, 2}}) {
    const SyntheticType& type = *find_synthetic_type(name);
    ASSERT_EQ(5 * fives + 4 * fours, type.block());
    std::vector<std::byte> blocks(200 * type.block_bytes());
    SyntheticRandom random(1);
    type.fill(blocks.data(), 200, BlockSource(1, 0.1F, false), random);
    std::array<std::array<std::size_t, 3>, 5> n{};
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const std::size_t at = i % type.block_bytes();
      if (at >= fives + fours) continue;
      auto byte = static_cast<unsigned>(blocks[i]);
      for (std::size_t k = 0; k < (at < fives ? 5 : 4); ++k, byte = byte * 3 & 0xFF) ++n[k][byte * 3 >> 8];
    }
    for (std::size_t k = 0; k < 5; ++k) {
      const std::size_t total = n[k][0] + n[k][1] + n[k][2];
      EXPECT_EQ(total, 200 * (fives + (k < 4 ? fours : 0)));
      for (const std::size_t each : n[k]) {
        EXPECT_NEAR(static_cast<double>(each) / static_cast<double>(total), 1.0 / 3, 0.03) << name << k;
      }
    }
  }
}

TEST(SyntheticShape, IsRefusedWhereNoModelCouldHaveIt) {
  const auto refused = [](const auto& change) -> std::string {
    SyntheticShape shape = *find_synthetic_preset("tiny");
    change(shape);
    try {
      check(shape);
    } catch (const OptionError& e) {
      return std::string(e.option());
    }
    return "";
  };
  EXPECT_EQ(refused([](SyntheticShape&) {}), "");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.architecture = "mamba"; }), "architecture");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.type = "q3_k"; }), "type");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.hidden = 320; }), "hidden");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.ffn = 130; }), "ffn");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.n_heads = 3; }), "n_kv_heads");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.n_heads = 6; }), "n_heads");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.head_dim = 33; }), "head_dim");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.n_experts = 4; }), "n_experts");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.architecture = "maple"; }), "n_experts");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.n_layers = 0; }), "n_layers");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.vocab = 0; }), "vocab");
  EXPECT_EQ(refused([](SyntheticShape& s) { s.embedding_type = ""; }), "embedding_type");
}

TEST(SyntheticModel, EveryPresetIsKnownByItsName) {
  for (const SyntheticShape& shape : synthetic_presets()) {
    EXPECT_EQ(find_synthetic_preset(shape.name), &shape);
    EXPECT_TRUE(has(synthetic_preset_names(), shape.name));
    EXPECT_NO_THROW(check(shape)) << shape.name;
  }
  EXPECT_EQ(find_synthetic_preset("2b"), nullptr);
}

// To within what files of the same kind take on the disk, where that is known.
TEST(SyntheticModel, OfAPublishedShapeHasItsSize) {
  const auto megabytes = [](const char* name) {
    const SyntheticModel model(*find_synthetic_preset(name), 0);
    return static_cast<double>(model.file_size()) / 1e6;
  };
  EXPECT_NEAR(megabytes("2b-4t"), 1187.8, 15);               // 1,187.8 with its own vocabulary
  EXPECT_NEAR(megabytes("bonsai-8b"), 2180, 40);             // 2.2 GB
  EXPECT_NEAR(megabytes("maple-20b-a1b"), 5.5 * 1074, 500);  // 5.5 GiB with a smaller head
}

// What stands in the file and what is made in memory are the same.
TEST(SyntheticModel, IsWrittenPieceByPieceAsItIsMadeInMemory) {
  for (const SyntheticFamily& family : synthetic_families()) {
    const SyntheticModel model(small_synthetic(family.architecture), 9);
    ThreadPool one(1);
    ThreadPool two(2);
    std::vector<std::byte> written;
    model.write(two, [&](std::span<const std::byte> piece) {
      written.insert(written.end(), piece.begin(), piece.end());
    });
    EXPECT_EQ(written.size(), model.file_size());
    const AnonymousMemory memory = make_synthetic_model(small_synthetic(family.architecture), 9, one);
    EXPECT_TRUE(std::ranges::equal(written, bytes_of(memory))) << family.architecture;
    EXPECT_NO_THROW(gguf::File::from_bytes(bytes_of(memory), "synthetic"));
  }
}

}  // namespace
}  // namespace bitnet
