// Matrices in a file of which only some rows are read, one here and one there: the embedding, and a head that
// was copied. Their pages need not stay with the process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bitnet/model.h"
#include "gguf/gguf.h"
#include "quant/tensor_type.h"

namespace bitnet {

// Reads rows past the process's own pages: touching one may bring in megabytes around it. Counts for all
// sessions of a model; any thread may use it.
class RareRows {
 public:
  // bytes: of the matrix. The file must outlive this object.
  RareRows(const gguf::File& file, std::span<const std::byte> bytes) : file_(file), bytes_(bytes) {}

  // Copies n rows from `row` on of the matrix at the beginning of the bytes. Returns them as a matrix.
  quant::Matrix copy(const quant::Matrix& matrix, std::size_t row, std::size_t n, std::byte* to) const;
  // All of it was read in place. Where that happens often the pages stay; otherwise those that are left
  // unused for some calls of copied() go.
  void touched() const;
  // A token's rows were copied.
  void copied() const;

 private:
  const gguf::File& file_;
  std::span<const std::byte> bytes_;
  mutable std::atomic<std::uint32_t> n_kept_{0};  // calls of copied() until pages go; 0: they are gone
};

// The matrices of the file that a model with such a head reads so; they may not be there, or be unsound.
// Each but once.
std::vector<std::span<const std::byte>> rare_matrices(const gguf::File& file, HeadKind head);

// What is left of the file's parts without them.
std::vector<std::span<const std::byte>> without(const gguf::File& file,
                                                std::span<const std::span<const std::byte>> matrices);

}  // namespace bitnet
