// What is behind a Model.
#pragma once

#include <cstddef>
#include <span>

#include "bitnet/model.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/weights.h"

namespace bitnet {

struct Model::Impl {
  Impl(gguf::File opened, const LoadOptions& options);

  // All of the file, or the copies of its matrices.
  std::span<const std::byte> weight_memory() const {
    const AnonymousMemory& copies = weights.repacked;
    if (copies.size() == 0) return file.bytes();
    return {static_cast<const std::byte*>(copies.data()), copies.size()};
  }

  gguf::File file;  // everything below points into it
  ModelInfo info;
  Config config;
  Weights weights;
  Tokenizer tokenizer;
  ChatHints chat_hints;
};

}  // namespace bitnet
