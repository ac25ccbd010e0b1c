#include "support/golden.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "support/parse_json.h"

namespace bitnet::test {
namespace {

std::vector<TokenId> ids_of(const nlohmann::json& list) {
  std::vector<TokenId> ids;
  for (const int id : list) ids.push_back(TokenId{id});
  return ids;
}

std::ifstream open(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  return file;
}

std::string read_all(std::ifstream& file) {
  std::ostringstream out;
  out << file.rdbuf();
  return std::move(out).str();
}

}  // namespace

std::vector<std::string> golden_cases() {
  std::vector<std::string> cases = {"canary-capital", "canary-sum", "canary-story", "canary-chat"};
  const auto random = random_models();
  cases.insert(cases.end(), random.begin(), random.end());
  return cases;
}

std::vector<std::string> random_models() {
  return {"random-bitnet-b1.58",        "random-bitnet",
          "random-bitnet-tq2_0-scales", "random-llama",
          "random-llama-linear",        "random-llama-qk256",
          "random-llama-tq2_0",         "random-llama3-tq1_0",
          "random-qwen3-q2_0",          "random-qwen3-q2_0-128",
          "random-qwen3-pq2_0",         "random-qwen3-ptq1_0",
          "random-qwen3-q1_0",          "random-qwen3-qk256-thirds",
          "random-maple-q2_0",          "random-bitnet-b1.58-silu",
          "random-bitnet-relu2"};
}

Golden load_golden(const std::string& name) {
  const std::string stem = std::string(BITNET_TEST_DATA) + "/golden/" + name;
  auto json_file = open(stem + ".json");
  const auto json = parse_json(read_all(json_file));
  auto value_file = open(stem + ".f32");
  const std::string bytes = read_all(value_file);

  Golden g;
  g.name = name;
  const std::string model = json.at("model");
  g.model =
      (model == "canary.gguf" ? std::string(BITNET_MODELS) : std::string(BITNET_TEST_DATA) + "/models") +
      "/" + model;
  if (!json.at("prompt").is_null()) g.prompt = json.at("prompt");
  g.ids = ids_of(json.at("ids"));
  g.greedy = ids_of(json.at("greedy"));
  g.greedy_margin = json.at("greedy_margin").get<std::vector<double>>();
  if (std::ifstream unquantized(stem + ".unquantized.f32", std::ios::binary); unquantized) {
    const std::string values = read_all(unquantized);
    g.unquantized_logits.resize(values.size() / sizeof(float));
    std::memcpy(g.unquantized_logits.data(), values.data(), g.unquantized_logits.size() * sizeof(float));
  }
  for (const auto& t : json.at("tensors")) {
    GoldenTensor tensor{t.at("shape").at(0), t.at("shape").at(1), {}};
    tensor.values.resize(tensor.rows * tensor.cols);
    const std::size_t offset = t.at("offset");
    const std::size_t size = tensor.values.size() * sizeof(float);
    if (offset + size > bytes.size()) throw std::runtime_error(stem + ".f32 is too short");
    std::memcpy(tensor.values.data(), bytes.data() + offset, size);
    g.tensors.emplace(t.at("name"), std::move(tensor));
  }
  return g;
}

Difference compare(const float* a, const float* b, std::size_t n) {
  double aa = 0;
  double bb = 0;
  double ab = 0;
  double worst = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = a[i];
    const double y = b[i];
    aa += x * x;
    bb += y * y;
    ab += x * y;
    worst = std::max(worst, std::isfinite(x) ? std::fabs(x - y) : HUGE_VAL);
  }
  return {ab / std::sqrt(aa * bb), worst};
}

}  // namespace bitnet::test
