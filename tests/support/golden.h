// Golden values: token ids, layer outputs and logits of one pass, made by an independent double-precision
// reference. tests/data/golden/README.md says how.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "bitnet/model.h"
#include "bitnet/types.h"

namespace bitnet::test {

struct GoldenTensor {
  std::size_t rows = 0;  // positions
  std::size_t cols = 0;
  std::vector<float> values;  // [rows, cols]
};

struct Golden {
  std::string name;
  std::string model;   // path
  std::string prompt;  // empty where the ids are no text
  std::vector<TokenId> ids;
  std::vector<TokenId> greedy;        // continuation
  std::vector<double> greedy_margin;  // between the best two logits at each step
  std::vector<float>
      unquantized_logits;  // [n ids, vocab] without rounding of activations; empty for some cases
  std::map<std::string, GoldenTensor> tensors;  // "blk.0.attn_out", ..., "result_norm", "logits"
};

// Names of all cases, and of those among them that have a model of random weights by the same name.
std::vector<std::string> golden_cases();
std::vector<std::string> random_models();
Golden load_golden(const std::string& name);

struct Difference {
  double cosine = 0;
  double max_abs = 0;
};
Difference compare(const float* a, const float* b, std::size_t n);

}  // namespace bitnet::test
