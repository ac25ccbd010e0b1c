// Tensors of one kind in all layers under one name.
#pragma once

#include <string>

namespace bitnet::cli {

// "token_embd" for token_embd.weight, "attn_q" for blk.7.attn_q.weight.
std::string tensor_kind(const std::string& name);

}  // namespace bitnet::cli
