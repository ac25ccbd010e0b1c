// A copy of the LM head in few bits, with bounds on what that loses: enough to tell which rows cannot be
// among the best.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
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

  // What is made, or brought in from a file, at first. Four and five bits tell rows apart where some tokens
  // are likely and most are not, as trained models have it; the last two would be memory that nobody reads.
  enum class Depth { five_bits, all_bits };

  // Of w, which must not be of few bits, by read_through() (head_copy.h); both must outlive this. Throws
  // RuntimeError when the memory cannot be had for all bits.
  HeadScreen(const quant::Matrix& w, ThreadPool& pool, const gguf::File* file = nullptr,
             Depth depth = Depth::all_bits);
  // The screen of w that was made before and begins at `offset`, a multiple of 64, of a file that holds all
  // of it.
  HeadScreen(const quant::Matrix& w, MappedFile screen, std::size_t offset, Depth depth = Depth::all_bits);

  static std::size_t n_bytes(std::size_t n_rows, std::size_t n_cols);
  // All of it: the last bits are zeros until it is complete.
  std::span<const std::byte> bytes() const { return content_; }
  // Of it, what was made or is in the file.
  std::size_t made_bytes() const;

  // Planes of single bits that may be read, from the first on.
  std::size_t n_bit_planes() const;
  // Makes the bits that are missing, or has them brought in, while others read the rest. Any thread may ask;
  // where another is at it already, nothing is done.
  void complete(ThreadPool& pool) const;

  std::size_t n_blocks;    // of a row, kernels::kScreenBlock columns each
  kernels::Planes planes;  // [rows, n_blocks] each
  Bounds rows;
  // The planes hold the weights divided by these, one for each column, and inputs are to be multiplied by
  // them: powers of two, at most 1. Heavy columns then aren't cut off at what a row's other weights need.
  std::span<float> column_scale;  // [cols]
  float largest = 0;              // of all rows: norm plus error[0]; infinite if a weight is not finite

 private:
  // Whether the last bits are there, which come once, for all who read.
  struct Completion {
    explicit Completion(Depth depth) : is_done(depth == Depth::all_bits) {}
    std::atomic<bool> is_done;
    std::mutex making;
  };

  void place(const quant::Matrix& w, std::byte* data);
  void find_largest();
  // Calls use(row, bounds) for each row once its codes are in those of the planes that are written.
  template <typename Use>
  void make(const kernels::Planes& written, ThreadPool& pool, Use use) const;
  // Without those that are there from the beginning, or without the others.
  kernels::Planes last_planes() const;
  kernels::Planes first_planes() const;
  std::span<const std::byte> bytes_of(std::size_t bit) const;

  quant::Matrix w_;
  const gguf::File* source_ = nullptr;
  std::unique_ptr<Completion> completion_;
  AnonymousMemory memory_;          // holds all of it: the upper plane, the bits, what is known of rows,
  std::optional<MappedFile> file_;  // column_scale; or this does, and nothing may be written
  std::span<const std::byte> content_;
};

}  // namespace bitnet
