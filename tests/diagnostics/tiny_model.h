// A model with random weights, made in memory.
#pragma once

#include <cstddef>
#include <span>

#include "base/thread_pool.h"
#include "bitnet/model.h"
#include "model/synthetic/synthetic.h"

namespace bitnet {

struct TinyModel {
  explicit TinyModel(const LoadOptions& options = {}) : model(Model::from_bytes(bytes(), "tiny", options)) {}

  std::span<const std::byte> bytes() {
    ThreadPool pool(1);
    memory = make_synthetic_model(*find_synthetic_preset("tiny"), 1, pool);
    return {static_cast<const std::byte*>(memory.data()), memory.size()};
  }
  AnonymousMemory memory;
  Model model;
};

}  // namespace bitnet
