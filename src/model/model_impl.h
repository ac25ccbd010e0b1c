// What is behind a Model.
#pragma once

#include "bitnet/model.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/weights.h"

namespace bitnet {

struct Model::Impl {
  Impl(gguf::File opened, unsigned n_threads);

  gguf::File file;  // everything below points into it
  ModelInfo info;
  Config config;
  Weights weights;
  Tokenizer tokenizer;
  ChatHints chat_hints;
};

}  // namespace bitnet
