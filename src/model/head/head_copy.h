// A copy of the LM head in int8: half the bytes of F16, and other logits.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/buffer.h"
#include "base/mapped_file.h"
#include "base/thread_pool.h"
#include "quant/tensor_type.h"

namespace bitnet {

struct Int8Head {
  // Every row of w, which must not be ternary, rounded to int8 with a scale of its own (its largest magnitude
  // stands for 127), in parallel. Throws RuntimeError when the memory cannot be had.
  Int8Head(const quant::Matrix& w, ThreadPool& pool);

  // The copy of w that was made before and begins at `offset`, a multiple of 64, of a file that holds all of
  // it.
  Int8Head(const quant::Matrix& w, MappedFile copy, std::size_t offset);

  std::span<const std::byte> bytes() const;

  AnonymousMemory memory;          // holds the copy,
  std::optional<MappedFile> file;  // or this does
  quant::Matrix matrix;
};

}  // namespace bitnet
