// What tells a loaded model from every other, at the price of looking at a part of its file.
#pragma once

#include <cstdint>

#include "gguf/gguf.h"

namespace bitnet {

// Of all parts of a model: sizes, times of change, headers and samples of the tensors' data; of bytes that
// are in no file, all of them. Two models that differ have the same number by chance alone, or where someone
// changed bytes between the samples and set the file's time back.
std::uint64_t model_identity(const gguf::File& file);

}  // namespace bitnet
