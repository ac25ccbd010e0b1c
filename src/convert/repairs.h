// Metadata that files are known to have wrong, put right.
#pragma once

#include <optional>
#include <vector>

#include "bitnet/model.h"
#include "convert/source.h"
#include "gguf/gguf.h"
#include "gguf/key_values.h"
#include "model/config.h"

namespace bitnet::convert {

// `keys` are those of the file, and are changed:
//   tokenizer.ggml.pre           missing, or unknown, where the vocabulary tells what it has to be
//   tokenizer.chat_template      the obsolete one of BitNet-b1.58-2B-4T
//   tokenizer.ggml.eos_token_id  of that model too: not the token that ends a turn of the template it gets
//   ARCH.hidden_activation       missing, where the label would give another one than what else is known of
//                                these models
// A vocabulary that cannot be read keeps its keys; the activation is left alone where the user tells it.
// Throws ModelError for an activation that is none.
std::vector<Repair> mend_keys(const gguf::File& file, const Config& config, std::optional<HiddenAct> told,
                              gguf::KeyValues& keys);

// Of a scale that was written the wrong way round. The right one was a bf16 (weight_scale): that, where one
// has this inverse.
float inverse_scale(float scale);

}  // namespace bitnet::convert
