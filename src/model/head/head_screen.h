// A copy of the LM head in few bits, with bounds on what that loses: enough to tell which rows cannot be
// among the best.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "base/buffer.h"
#include "base/mapped_file.h"
#include "base/thread_pool.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "kernels/screen.h"
#include "quant/tensor_type.h"

namespace bitnet {

struct HeadScreen {
  // kernels::RowBounds of each row, [rows] each, in units of the weights without the matrix's own scale.
  struct Bounds {
    std::span<float> scale;
    std::span<float> norm;
    std::array<std::span<float>, kernels::kBitPlanes + 1> error;
  };

  // Of w, which must not be of few bits, by read_through() (head_copy.h). Throws RuntimeError when the memory
  // cannot be had.
  HeadScreen(const quant::Matrix& w, ThreadPool& pool, const gguf::File* file = nullptr);
  // The screen of w that was made before and begins at `offset`, a multiple of 64, of a file that holds all
  // of it.
  HeadScreen(const quant::Matrix& w, MappedFile screen, std::size_t offset);

  static std::size_t n_bytes(std::size_t n_rows, std::size_t n_cols);
  std::span<const std::byte> bytes() const { return content_; }

  std::size_t n_blocks;    // of a row, kernels::kScreenBlock columns each
  kernels::Planes planes;  // [rows, n_blocks] each
  Bounds rows;
  // The planes hold the weights divided by these, one for each column, and inputs are to be multiplied by
  // them: powers of two, at most 1. Heavy columns then aren't cut off at what a row's other weights need.
  std::span<float> column_scale;  // [cols]
  float largest = 0;              // of all rows: norm plus error[0]; infinite if a weight is not finite

 private:
  void place(const quant::Matrix& w, std::byte* data);
  void find_largest();

  AnonymousMemory memory_;          // holds all of it: the upper plane, the bits, what is known of rows,
  std::optional<MappedFile> file_;  // column_scale; or this does, and nothing may be written
  std::span<const std::byte> content_;
};

}  // namespace bitnet
