// Which activation the feed-forward network has on its gate. Two kinds of models with the same tensors differ
// in nothing else, and no label tells them apart:
//   BitNet-b1.58-2B-4T   relu^2; "bitnet-b1.58" by Microsoft's converters, "bitnet" by llama.cpp's
//   1bitLLM's models     SiLU; "bitnet" by both, and since July 2026 "bitnet-b1.58" by Microsoft's
// So the key <architecture>.hidden_activation decides where a file has it, then what else is known of these
// models, and only then the label. Sources: microsoft/BitNet#588, #602; ggml-org/llama.cpp#25769, #26751.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bitnet/model.h"
#include "gguf/gguf.h"
#include "model/config.h"

namespace bitnet {

std::string_view name_of(HiddenAct act);                          // "relu2" or "silu", as the key spells them
std::optional<HiddenAct> find_hidden_act(std::string_view name);  // none for any other

// `config` is the file's, with its architecture's own activation. Throws ModelError for a key with another
// value, unless `asked` makes it of no account.
HiddenActInfo decide_hidden_act(const gguf::File& file, const Config& config, std::optional<HiddenAct> asked);

GateActivation gate_activation_of(HiddenAct act);

}  // namespace bitnet
