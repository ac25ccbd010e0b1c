// The part of a token's logits that a sampler asks for.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "bitnet/export.h"
#include "bitnet/types.h"

namespace BITNET_API bitnet {

struct Candidate {
  TokenId id{};
  float logit = 0;
};

struct CandidateQuery {
  std::size_t n_best = 1;           // the highest logits, ties to the lower id
  std::optional<float> within{};    // and all that are less than this below the highest
  std::span<const TokenId> also{};  // and these, in any order; ids outside the vocabulary are passed over
};

}  // namespace bitnet
