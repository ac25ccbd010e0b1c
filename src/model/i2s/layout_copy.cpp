#include "model/i2s/layout_copy.h"

#include <algorithm>
#include <cstring>

#include "base/printable.h"
#include "bitnet/error.h"
#include "model/weight_copies.h"
#include "quant/i2_s.h"
#include "quant/i2_s_layouts.h"

namespace bitnet {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;  // bytes that a thread copies at a time
// Copied before the file's pages are given back: what the process holds twice.
constexpr std::size_t kStretchBlocks = 32;

void require_fours(const quant::Matrix& w, const gguf::File& file) {
  if (w.rows % 4 == 0) return;
  throw ModelError(printable(file.name(), kMaxPrintedPath),
                   "an I2_S tensor of " + std::to_string(w.rows) +
                       " rows cannot be in the layout rows4, which packs four rows together",
                   "pass --i2s-layout x86 or arm");
}

// Four rows: cols bytes in any layout.
void convert(I2sLayout layout, const std::byte* from, std::size_t cols, std::size_t n_bytes, std::byte* to) {
  if (layout == I2sLayout::arm) {
    quant::i2_s::arm_to_x86(from, n_bytes, to);
  } else {
    for (std::size_t at = 0; at < n_bytes; at += cols) quant::i2_s::rows4_to_x86(from + at, cols, to + at);
  }
}

void copy(I2sLayout layout, const quant::Matrix& w, std::byte* to, const gguf::File& file, ThreadPool& pool) {
  const std::size_t n_codes = w.rows * w.cols / 4;
  const std::size_t block = std::max<std::size_t>(1, kBlock / w.cols) * w.cols;
  const std::size_t stretch = kStretchBlocks * block;
  for (std::size_t at = 0; at < n_codes; at += stretch) {
    const std::size_t n = std::min(stretch, n_codes - at);
    pool.parallel_for((n + block - 1) / block, 1, [&](std::size_t begin, std::size_t end) {
      const std::size_t first = begin * block;
      convert(layout, w.data + at + first, w.cols, std::min(n, end * block) - first, to + at + first);
    });
    file.give_back({w.data + at, n});
  }
  std::memcpy(to + n_codes, w.data + n_codes, quant::i2_s::kTailBytes);
}

}  // namespace

std::uint64_t copy_from_layout(I2sLayout layout, Weights& weights, const gguf::File& file, ThreadPool& pool) {
  if (layout == I2sLayout::x86) return 0;
  weights.i2s_copies = copy_matrices(
      weights, {.purpose = "a copy of the I2_S tensors in the layout of x86",
                .is_copied = [](const quant::Matrix& w) { return w.type == quant::TensorType::i2_s; },
                .copy_of =
                    [&](const quant::Matrix& from) {
                      if (layout == I2sLayout::rows4) require_fours(from, file);
                      return from;
                    },
                .fill = [&](const quant::Matrix& from, const quant::Matrix& /*to*/,
                            std::byte* data) { copy(layout, from, data, file, pool); }});
  return weights.i2s_copies.size();
}

}  // namespace bitnet
