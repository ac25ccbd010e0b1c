// Copies of the LM head; that in int8: half the bytes of F16, and other logits.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/buffer.h"
#include "base/function_ref.h"
#include "base/mapped_file.h"
#include "base/thread_pool.h"
#include "bitnet/model.h"
#include "gguf/gguf.h"
#include "quant/tensor_type.h"

namespace bitnet {

// Whether a head that is stored so is copied for this use of it. A screen needs weights as floats; a head of
// two bits is small as it is, and so is one of hardly more bits than a search reads of every row.
bool is_head_copied(HeadKind use, const quant::TypeInfo& type, std::size_t rows, std::size_t cols);

// Calls body(begin, end) for ranges that make up all rows of w, in parallel. What lies in `file`, if there is
// one, is brought in before and let go of behind, so that little of it is there at a time.
void read_through(const quant::Matrix& w, const gguf::File* file, ThreadPool& pool,
                  FunctionRef<void(std::size_t begin, std::size_t end)> body);

struct Int8Head {
  // Every row of w, which must not be ternary, rounded to int8 with a scale of its own (its largest magnitude
  // stands for 127), by read_through(). Throws RuntimeError when the memory cannot be had.
  Int8Head(const quant::Matrix& w, ThreadPool& pool, const gguf::File* file = nullptr);

  // The copy of w that was made before and begins at `offset`, a multiple of 64, of a file that holds all of
  // it.
  Int8Head(const quant::Matrix& w, MappedFile copy, std::size_t offset);

  std::span<const std::byte> bytes() const;

  AnonymousMemory memory;          // holds the copy,
  std::optional<MappedFile> file;  // or this does
  quant::Matrix matrix;
};

}  // namespace bitnet
