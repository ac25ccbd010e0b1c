// Ways to choose tokens, some of each kind that there is.
#pragma once

#include <vector>

#include "bitnet/sampler.h"

namespace bitnet::test {

// Greedy first. Their seeds tell them apart.
inline std::vector<SamplerOptions> samplers_of_all_kinds() {
  return {
      {},
      {.temperature = 0.9F, .top_k = 40, .seed = 1},
      {.temperature = 1.3F, .top_k = 20, .top_p = 0.9F, .min_p = 0.02F, .repeat_penalty = 1.3F, .seed = 2},
      {.temperature = 1.0F, .top_k = 30, .repeat_penalty = 0.7F, .seed = 3},
      {.temperature = 1.2F, .min_p = 0.01F, .seed = 4},
      {.temperature = 0.8F, .top_p = 0.9F, .seed = 5},
      {.repeat_penalty = 1.3F, .seed = 6},
      {.repeat_penalty = 0.8F, .repeat_window = 8, .seed = 7},
      {.repeat_penalty = 1.2F, .repeat_window = -1, .seed = 8},
      {.temperature = 100.0F, .min_p = 0.05F, .seed = 9},
      {.temperature = 100.0F, .top_k = 20, .top_p = 0.9F, .seed = 10}};
}

}  // namespace bitnet::test
