#include "convert/absmean.h"

#include <algorithm>
#include <cmath>

namespace bitnet::convert {

double sum_of_magnitudes(std::span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(std::fabs(v));
  return sum;
}

float absmean_scale(double sum, std::uint64_t n) {
  constexpr float kLeast = 1e-5F;
  const auto mean = static_cast<float>(sum / static_cast<double>(n));
  return std::isnan(mean) ? mean : std::max(mean, kLeast);
}

void round_to_ternary(std::span<const float> values, float scale, quant::CodedRow& out) {
  constexpr std::size_t kPerWord = 16;
  out.codebook = quant::Codebook::ternary;
  out.resize(values.size(), values.size());
  out.scales[0] = scale;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float t = std::clamp(std::nearbyint(values[i] / scale), -1.0F, 1.0F);
    out.words[i / kPerWord] |= static_cast<std::uint32_t>(static_cast<int>(t) + 1) << (2 * (i % kPerWord));
  }
}

}  // namespace bitnet::convert
