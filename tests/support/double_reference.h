// The transformer of every family in double precision, written from the papers: one token after another, no
// cache, no kernels. It reads a SmallModel's tensors and nothing of its metadata: what the metadata should
// come to is said by the test.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "bitnet/types.h"
#include "support/small_model.h"

namespace bitnet::test {

struct ReferenceGraph {
  SmallShape shape;
  double epsilon = 1e-5;
  bool neighbours = false;        // rotated pairs: (2i, 2i+1), or (i, i + n/2)
  std::vector<double> frequency;  // of each pair, in radians per position
  double magnitude = 1;           // of cosine and sine
  bool relu_squared = false;      // or SiLU
  // Of a layer: whether its queries and keys are rotated, and how many keys a token sees, itself included.
  std::function<bool(std::size_t layer)> rotates = [](std::size_t) { return true; };
  std::function<std::size_t(std::size_t layer)> n_seen = [](std::size_t) { return std::size_t{1} << 30; };
  double clamp = 0;  // of gate and up; 0: none
  double embedding_scale = 1;
  double residual_scale = 1;
  double logit_scale = 1;  // divides
};

// theta^(-2i / n) for n / 2 pairs.
std::vector<double> plain_frequencies(double theta, std::size_t n);

// Logits after each of the tokens: [n_tokens][vocab]. Activations are not rounded.
std::vector<std::vector<double>> reference_logits(const SmallModel& model, const ReferenceGraph& graph,
                                                  const std::vector<TokenId>& tokens);

}  // namespace bitnet::test
