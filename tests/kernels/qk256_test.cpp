#include "kernels/qk256.h"

#include <gtest/gtest.h>

#include "kernels/backends.h"

namespace bitnet::kernels {
namespace {

using quant::qk256::Codebook;

class QK256Kernel : public EveryBackend {};

TEST_P(QK256Kernel, GivesTheBitsOfTheFormatsOwnDecoderForEveryCodebook) {
  constexpr float kMark = 12345.0F;
  std::mt19937 rng(7);
  for (const Codebook codebook : {Codebook::ternary, Codebook::four_level, Codebook::thirds}) {
    for (const std::size_t cols : {std::size_t{1}, std::size_t{17}, std::size_t{256}, std::size_t{300},
                                   std::size_t{2560}, std::size_t{6911}}) {
      const std::size_t n_blocks = (cols + 255) / 256;
      std::vector<std::uint8_t> codes(n_blocks * 64);
      for (auto& c : codes) c = static_cast<std::uint8_t>(rng());
      const std::vector<float> scales = random_floats(n_blocks, 3);
      for (const float* s : {static_cast<const float*>(nullptr), scales.data()}) {
        const quant::qk256::Row row{codes.data(), s, cols, codebook};
        std::vector<float> want(cols);
        decode_row(row, want.data());
        std::vector<float> out(cols + 1, kMark);
        decode_qk256_row(kernels(), row, out.data());
        for (std::size_t i = 0; i < cols; ++i) ASSERT_EQ(out[i], want[i]) << cols << " " << i;
        EXPECT_EQ(out.back(), kMark);
      }
    }
  }
}

BITNET_FOR_EVERY_BACKEND(QK256Kernel);

}  // namespace
}  // namespace bitnet::kernels
