#include "model/head/head_screen.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/head/head_copy.h"

namespace bitnet {
namespace {

// Rows that the scales of columns are taken from, evenly spread.
constexpr std::size_t kSampledRows = 2048;
constexpr int kLeastExponent = -15;

constexpr std::size_t kFirstBits = 1;  // planes of single bits that are there from the beginning

// To scale: each column's root mean square as a power of two, the largest 1.
void find_scales_of_columns(const quant::Matrix& w, const gguf::File* file, const kernels::Kernels& kernels,
                            std::span<float> scale) {
  std::vector<double> squares(w.cols);
  std::vector<float> values(w.cols);
  const std::size_t row_bytes = quant::n_bytes_of(w) / w.rows;
  std::vector<std::byte> copy(row_bytes);
  const std::size_t step = std::max<std::size_t>(w.rows / kSampledRows, 1);
  for (std::size_t row = 0; row < w.rows; row += step) {
    const std::span stored(w.data + row * row_bytes, row_bytes);
    quant::Matrix one = w;
    one.rows = 1;
    one.data = stored.data();
    if (file != nullptr) {
      file->read(stored, copy.data());
      one.data = copy.data();
    }
    kernels.decode_float(one, 0, values.data());
    for (std::size_t i = 0; i < w.cols; ++i)
      squares[i] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  }
  const double largest = *std::ranges::max_element(squares);
  std::ranges::fill(scale, 1.0F);
  // Not so for a NaN, wherever it is: then no scale is good for anything.
  if (!(largest > 0) || !std::isfinite(largest)) return;
  for (std::size_t i = 0; i < w.cols; ++i) {
    const double exponent = std::round(0.5 * std::log2(squares[i] / largest));
    scale[i] = exponent > kLeastExponent ? std::ldexp(1.0F, static_cast<int>(exponent))
                                         : std::ldexp(1.0F, kLeastExponent);
  }
}

std::size_t blocks_of(std::size_t n_cols) {
  return (n_cols + kernels::kScreenBlock - 1) / kernels::kScreenBlock;
}

}  // namespace

std::size_t HeadScreen::n_bytes(std::size_t n_rows, std::size_t n_cols) {
  constexpr std::size_t kBlockBytes = kernels::kUpperBytes + kernels::kBitPlanes * kernels::kBitBytes;
  return n_rows * (blocks_of(n_cols) * kBlockBytes + sizeof(kernels::RowBounds)) + n_cols * sizeof(float);
}

void HeadScreen::place(const quant::Matrix& w, std::byte* data) {
  content_ = {data, n_bytes(w.rows, w.cols)};
  auto* at = reinterpret_cast<std::uint8_t*>(data);
  const auto take = [&](std::size_t block_bytes) {
    const kernels::Plane plane{at, n_blocks * block_bytes};
    at += w.rows * plane.row_bytes;
    return plane;
  };
  // Whole cache lines to each row first.
  planes.upper = take(kernels::kUpperBytes);
  for (kernels::Plane& plane : planes.bits) plane = take(kernels::kBitBytes);
  auto* floats = reinterpret_cast<float*>(at);
  const auto take_floats = [&](std::size_t n) { return std::span(std::exchange(floats, floats + n), n); };
  rows.scale = take_floats(w.rows);
  rows.norm = take_floats(w.rows);
  for (std::span<float>& error : rows.error) error = take_floats(w.rows);
  column_scale = take_floats(w.cols);
}

void HeadScreen::find_largest() {
  for (std::size_t row = 0; row < rows.norm.size(); ++row)
    largest = std::max(largest, rows.norm[row] + rows.error[0][row]);
}

template <typename Use>
void HeadScreen::make(const kernels::Planes& written, ThreadPool& pool, Use use) const {
  const kernels::Kernels& kernels = kernels::find("auto");
  std::vector<float> inverse(w_.cols);
  std::ranges::transform(column_scale, inverse.begin(), [](float scale) { return 1 / scale; });
  read_through(w_, source_, pool, [&](std::size_t begin, std::size_t end) {
    std::vector<float> values(w_.cols);
    std::vector<std::uint8_t> codes(n_blocks * kernels::kScreenBlock);
    for (std::size_t row = begin; row < end; ++row) {
      kernels.decode_float(w_, row, values.data());
      for (std::size_t i = 0; i < w_.cols; ++i) values[i] *= inverse[i];
      kernels::RowBounds bounds;
      kernels.screen_row(values.data(), w_.cols, row, codes.data(), written, &bounds);
      use(row, bounds);
    }
  });
}

kernels::Planes HeadScreen::first_planes() const {
  kernels::Planes first = planes;
  for (std::size_t k = kFirstBits; k < kernels::kBitPlanes; ++k) first.bits[k].codes = nullptr;
  return first;
}

kernels::Planes HeadScreen::last_planes() const {
  kernels::Planes last = planes;
  last.upper.codes = nullptr;
  for (std::size_t k = 0; k < kFirstBits; ++k) last.bits[k].codes = nullptr;
  return last;
}

HeadScreen::HeadScreen(const quant::Matrix& w, ThreadPool& pool, const gguf::File* file, Depth depth)
    : n_blocks(blocks_of(w.cols)),
      w_(w),
      source_(file),
      completion_(std::make_unique<Completion>(depth)),
      memory_(n_bytes(w.rows, w.cols), {"the screen of the LM head", "leave it out with --head exact"}) {
  assert(!quant::is_low_bit(w.type));
  memory_.prefer_huge_pages();
  place(w, static_cast<std::byte*>(memory_.data()));
  find_scales_of_columns(w, file, kernels::find("auto"), column_scale);
  const bool is_all = depth == Depth::all_bits;
  make(is_all ? planes : first_planes(), pool, [&](std::size_t row, const kernels::RowBounds& bounds) {
    rows.scale[row] = bounds.scale;
    rows.norm[row] = bounds.norm;
    for (std::size_t k = 0; k < bounds.error.size(); ++k) rows.error[k][row] = bounds.error[k];
  });
  find_largest();
}

// Its planes and bounds are written to by nobody.
HeadScreen::HeadScreen(const quant::Matrix& w, MappedFile screen, std::size_t offset, Depth depth)
    : n_blocks(blocks_of(w.cols)),
      w_(w),
      completion_(std::make_unique<Completion>(depth)),
      file_(std::move(screen)) {
  assert(offset + n_bytes(w.rows, w.cols) <= file_->bytes().size());
  place(w, const_cast<std::byte*>(file_->bytes().data()) + offset);
  find_largest();
  if (depth == Depth::all_bits) return;
  for (std::size_t k = kFirstBits; k < kernels::kBitPlanes; ++k) file_->give_back(bytes_of(k));
}

std::span<const std::byte> HeadScreen::bytes_of(std::size_t bit) const {
  const kernels::Plane& plane = planes.bits[bit];
  return std::as_bytes(std::span(plane.codes, w_.rows * plane.row_bytes));
}

std::size_t HeadScreen::made_bytes() const {
  if (file_) return content_.size();
  std::size_t missing = 0;
  for (std::size_t k = n_bit_planes(); k < kernels::kBitPlanes; ++k) missing += planes.bits[k].row_bytes;
  return content_.size() - w_.rows * missing;
}

std::size_t HeadScreen::n_bit_planes() const {
  return completion_->is_done.load(std::memory_order_acquire) ? kernels::kBitPlanes : kFirstBits;
}

void HeadScreen::complete(ThreadPool& pool) const {
  const std::unique_lock only_one(completion_->making, std::try_to_lock);
  if (!only_one || completion_->is_done.load(std::memory_order_relaxed)) return;
  if (!file_) {
    make(last_planes(), pool, [](std::size_t, const kernels::RowBounds&) {});
  } else {
    for (std::size_t k = kFirstBits; k < kernels::kBitPlanes; ++k) file_->populate(bytes_of(k));
  }
  completion_->is_done.store(true, std::memory_order_release);
}

}  // namespace bitnet
