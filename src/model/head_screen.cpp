#include "model/head_screen.h"

#include <algorithm>
#include <cassert>
#include <memory>
#include <vector>

namespace bitnet {
namespace {

constexpr std::size_t kRowsAtATime = 512;
constexpr std::size_t kPlaneBlockBytes[] = {64, 16, 32};

}  // namespace

HeadScreen::HeadScreen(const quant::Matrix& w, ThreadPool& pool)
    : n_blocks((w.cols + kernels::kScreenBlock - 1) / kernels::kScreenBlock) {
  assert(!quant::info(w.type).ternary && w.scale == 1.0F);
  std::size_t bytes = w.rows * sizeof(kernels::RowBounds);
  for (const std::size_t block : kPlaneBlockBytes) bytes += w.rows * n_blocks * block;
  memory = AnonymousMemory(bytes, "the screen of the LM head (--head screened)");
  memory.prefer_huge_pages();
  // Widest rows first: each plane begins where its loads ask for.
  auto* at = static_cast<std::uint8_t*>(memory.data());
  const auto take = [&](std::size_t block_bytes) {
    const kernels::Plane plane{at, n_blocks * block_bytes};
    at += w.rows * plane.row_bytes;
    return plane;
  };
  planes.four = take(kPlaneBlockBytes[0]);
  planes.two = take(kPlaneBlockBytes[2]);
  planes.one = take(kPlaneBlockBytes[1]);
  const std::span bounds(reinterpret_cast<kernels::RowBounds*>(at), w.rows);

  const kernels::Kernels& kernels = kernels::find("auto");
  pool.parallel_for(w.rows, kRowsAtATime, [&](std::size_t begin, std::size_t end) {
    std::vector<float> values(w.cols);
    std::vector<std::uint8_t> codes(n_blocks * kernels::kScreenBlock);
    for (std::size_t row = begin; row < end; ++row) {
      kernels.decode_float(w, row, values.data());
      kernels.screen_row(values.data(), w.cols, row, codes.data(), planes, &bounds[row]);
    }
  });
  rows = bounds;
  for (const kernels::RowBounds& row : rows) largest = std::max(largest, row.norm + row.error_four);
}

}  // namespace bitnet
