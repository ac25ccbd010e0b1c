// Matrices copied to memory of our own: in another order, or in larger pages.
#pragma once

#include <cstddef>

#include "base/buffer.h"
#include "base/function_ref.h"
#include "model/weights.h"

namespace bitnet {

// Copied before the file's pages are given back: what the process holds twice.
inline constexpr std::size_t kCopyStretch = std::size_t{32} << 20;
inline constexpr std::size_t kCopyBlock = std::size_t{1} << 20;  // that a thread copies at a time

struct MatrixCopies {
  MemoryPurpose purpose;  // of the memory, for messages
  FunctionRef<bool(const quant::Matrix& w)> is_copied;
  // What a copy is, its data aside. Asked once for each place of the file.
  FunctionRef<quant::Matrix(const quant::Matrix& from)> copy_of;
  // Fills data with it.
  FunctionRef<void(const quant::Matrix& from, const quant::Matrix& to, std::byte* data)> fill;
};

// Replaces the matrices that are copied by their copies, each at the start of a cache line, in large pages
// where the system has them; what two share, as a tied head does the embedding, is copied once. Returns the
// memory that holds them, empty if there are none. Throws RuntimeError when it cannot be had.
AnonymousMemory copy_matrices(Weights& weights, const MatrixCopies& copies);

}  // namespace bitnet
