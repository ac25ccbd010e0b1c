#include "model/head/head_screen.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace bitnet {
namespace {

constexpr std::size_t kRowsAtATime = 512;
// Rows that the scales of columns are taken from, evenly spread.
constexpr std::size_t kSampledRows = 2048;
constexpr int kLeastExponent = -15;

// Each column's root mean square as a power of two, the largest 1.
std::vector<float> scales_of_columns(const quant::Matrix& w, const kernels::Kernels& kernels) {
  std::vector<double> squares(w.cols);
  std::vector<float> values(w.cols);
  const std::size_t step = std::max<std::size_t>(w.rows / kSampledRows, 1);
  for (std::size_t row = 0; row < w.rows; row += step) {
    kernels.decode_float(w, row, values.data());
    for (std::size_t i = 0; i < w.cols; ++i)
      squares[i] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  }
  const double largest = *std::ranges::max_element(squares);
  std::vector<float> scales(w.cols, 1.0F);
  // Not so for a NaN, wherever it is: then no scale is good for anything.
  if (!(largest > 0) || !std::isfinite(largest)) return scales;
  for (std::size_t i = 0; i < w.cols; ++i) {
    const double exponent = std::round(0.5 * std::log2(squares[i] / largest));
    scales[i] = exponent > kLeastExponent ? std::ldexp(1.0F, static_cast<int>(exponent))
                                          : std::ldexp(1.0F, kLeastExponent);
  }
  return scales;
}

}  // namespace

HeadScreen::HeadScreen(const quant::Matrix& w, ThreadPool& pool)
    : n_blocks((w.cols + kernels::kScreenBlock - 1) / kernels::kScreenBlock) {
  assert(!quant::is_low_bit(w.type) && w.scale == 1.0F);
  constexpr std::size_t kBlockBytes = kernels::kUpperBytes + kernels::kBitPlanes * kernels::kBitBytes;
  memory = AnonymousMemory(w.rows * (n_blocks * kBlockBytes + sizeof(kernels::RowBounds)),
                           "the screen of the LM head (--head screened)");
  memory.prefer_huge_pages();
  auto* at = static_cast<std::uint8_t*>(memory.data());
  const auto take = [&](std::size_t block_bytes) {
    const kernels::Plane plane{at, n_blocks * block_bytes};
    at += w.rows * plane.row_bytes;
    return plane;
  };
  // Whole cache lines to each row first.
  planes.upper = take(kernels::kUpperBytes);
  for (kernels::Plane& plane : planes.bits) plane = take(kernels::kBitBytes);
  auto* floats = reinterpret_cast<float*>(at);
  const auto take_floats = [&] { return std::span(std::exchange(floats, floats + w.rows), w.rows); };
  rows.scale = take_floats();
  rows.norm = take_floats();
  for (std::span<float>& error : rows.error) error = take_floats();

  const kernels::Kernels& kernels = kernels::find("auto");
  column_scale = scales_of_columns(w, kernels);
  std::vector<float> inverse(w.cols);
  std::ranges::transform(column_scale, inverse.begin(), [](float scale) { return 1 / scale; });
  pool.parallel_for(w.rows, kRowsAtATime, [&](std::size_t begin, std::size_t end) {
    std::vector<float> values(w.cols);
    std::vector<std::uint8_t> codes(n_blocks * kernels::kScreenBlock);
    for (std::size_t row = begin; row < end; ++row) {
      kernels.decode_float(w, row, values.data());
      for (std::size_t i = 0; i < w.cols; ++i) values[i] *= inverse[i];
      kernels::RowBounds bounds;
      kernels.screen_row(values.data(), w.cols, row, codes.data(), planes, &bounds);
      rows.scale[row] = bounds.scale;
      rows.norm[row] = bounds.norm;
      for (std::size_t k = 0; k < bounds.error.size(); ++k) rows.error[k][row] = bounds.error[k];
    }
  });
  for (std::size_t row = 0; row < w.rows; ++row)
    largest = std::max(largest, rows.norm[row] + rows.error[0][row]);
}

}  // namespace bitnet
