// A model held against the transformer in double precision: activations are not rounded, so that single
// precision is all that lies between the two.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bitnet/session.h"
#include "support/double_reference.h"
#include "support/small_model.h"

namespace bitnet::test {

inline constexpr std::size_t kAllKeys = 1U << 30;
inline constexpr double kSinglePrecision = 2e-5;
inline constexpr double kAnotherModel = 1e-3;  // at the least, where one thing is computed otherwise

// In which heads are wider than their share of the hidden state, and groups of queries share a key.
inline constexpr SmallShape kWide{.hidden = 128, .heads = 4, .kv_heads = 2, .head_dim = 64};

// Of an architecture, with float weights so large that the softmax is sharp enough to show an error, and not
// so sharp that it hides one.
SmallModel model_of(const std::string& architecture);
// What it computes.
ReferenceGraph graph_of(const std::string& architecture);

// Twelve ids.
const std::vector<TokenId>& some_tokens();
// After each of some_tokens, one row behind the other.
std::vector<float> all_logits(const Model& model, const SessionOptions& options);

// The largest difference of a logit after some_tokens, in standard deviations of all of them.
double error_of(const SmallModel& small, const ReferenceGraph& graph);

}  // namespace bitnet::test
