#include "model/against_reference.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace bitnet::test {
namespace {

// Uniform, with products of order one.
void make_float(SmallTensor& t) {
  std::uint32_t seed = 1;
  for (const char c : t.name) seed = seed * 31 + static_cast<unsigned char>(c);
  t.type = kF32;
  t.draw(seed);
  std::vector<float> values(t.n_elements());
  std::memcpy(values.data(), t.data.data(), t.data.size());
  for (float& value : values) value *= 1.7F / std::sqrt(static_cast<float>(t.dims[0]));
  t.set_f32(values);
}

}  // namespace

SmallModel model_of(const std::string& architecture) {
  SmallModel model(architecture, kWide);
  for (SmallTensor& t : model.tensors()) {
    if (t.type == kI2S) make_float(t);
  }
  if (architecture == "maple") {  // half of a head is rotated; the limit is one that gates and ups pass
    model.set("maple.rope.dimension_count", std::uint32_t{32}).set("maple.swiglu_clamp_exp", 0.25F);
  }
  return model;
}

ReferenceGraph graph_of(const std::string& architecture) {
  ReferenceGraph graph{.shape = kWide,
                       .neighbours = architecture == "llama" || architecture == "minicpm",
                       .frequency = plain_frequencies(10000, architecture == "maple" ? 32 : 64),
                       .relu_squared = architecture == "bitnet-b1.58"};
  if (architecture == "minicpm") {
    graph.embedding_scale = 12;
    graph.residual_scale = 0.5;
    graph.logit_scale = 3;
  }
  if (architecture == "maple") {
    graph.rotates = [](std::size_t layer) { return layer % 2 == 0; };
    graph.n_seen = [](std::size_t layer) { return layer % 2 == 0 ? std::size_t{5} : kAllKeys; };
    graph.clamp = 0.25;
  }
  return graph;
}

const std::vector<TokenId>& some_tokens() {
  static const std::vector<TokenId> tokens = [] {
    std::vector<TokenId> ids;
    for (std::int32_t i = 0; i < 12; ++i) ids.push_back(TokenId{(i * 37 + i * i * 11 + 5) % 300});
    return ids;
  }();
  return tokens;
}

std::vector<float> all_logits(const Model& model, const SessionOptions& options) {
  std::vector<float> all;
  Session session(model, options);
  session.run_all(some_tokens(), [&](Position, std::span<const float> row) {
    all.insert(all.end(), row.begin(), row.end());
  });
  return all;
}

double error_of(const SmallModel& small, const ReferenceGraph& graph) {
  const LoadedModel loaded(small);
  const std::vector<float> ours = all_logits(
      loaded.model,
      {.n_threads = 2, .prefill_chunk = 5, .kv_type = KvType::f32, .activations = ActivationType::f32});
  double largest = 0;
  double squares = 0;
  std::size_t at = 0;
  for (const std::vector<double>& row : reference_logits(small, graph, some_tokens())) {
    for (const double want : row) {
      largest = std::max(largest, std::fabs(want - static_cast<double>(ours.at(at++))));
      squares += want * want;
    }
  }
  EXPECT_EQ(at, ours.size());
  return largest / std::sqrt(squares / static_cast<double>(at));
}

}  // namespace bitnet::test
