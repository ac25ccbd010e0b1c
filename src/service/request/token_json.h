// Tokens as JSON has them.
#pragma once

#include <nlohmann/json.hpp>

#include "bitnet/tokenizer.h"
#include "bitnet/types.h"
#include "engine/logprobs.h"

namespace bitnet::service {

// {id, piece, bytes}, and the likeliest of some logits as such with their logprob.
nlohmann::ordered_json named_token_json(const Tokenizer& tokenizer, TokenId id);
nlohmann::ordered_json top_json(const Tokenizer& tokenizer, const Logprobs& logprobs);

}  // namespace bitnet::service
