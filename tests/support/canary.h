// The model that the program has built in.
#pragma once

#include <string>

#include "bitnet/model.h"

namespace bitnet::test {

// Loaded once.
inline const Model& canary() {
  static const Model model = Model::load(std::string(BITNET_MODELS) + "/canary.gguf");
  return model;
}

}  // namespace bitnet::test
