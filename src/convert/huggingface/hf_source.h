// Hugging Face folders as what is converted: config.json, the weights as safetensors, and the tokenizer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/model.h"
#include "convert/source.h"

namespace bitnet::convert {

struct HfSourceOptions {
  // Dense weights of a model whose layers are ternary are taken as the floats that they are, instead of being
  // refused.
  bool takes_dense = false;
  std::optional<HiddenAct> hidden_act{};  // instead of config.json's
};

// Opens a folder. Throws ModelError for one that is refused: of an unknown class, with tensors too few, too
// many or of another shape than config.json has it, or with a tokenizer that no GGUF file can express. What
// there is to say of it is added to `notes`.
std::unique_ptr<Source> open_hf_source(const std::string& folder, const HfSourceOptions& options,
                                       std::vector<std::string>& notes);

}  // namespace bitnet::convert
