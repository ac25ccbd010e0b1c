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
    // Between them, and at them, the nearest even number is 0.
    const float ratio = values[i] / scale;
    const auto code = static_cast<std::uint32_t>(1 + (ratio > 0.5F ? 1 : 0) - (ratio < -0.5F ? 1 : 0));
    out.words[i / kPerWord] |= code << (2 * (i % kPerWord));
  }
}

}  // namespace bitnet::convert
