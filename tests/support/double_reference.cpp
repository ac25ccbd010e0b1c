#include "support/double_reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>

#include "base/half.h"

namespace bitnet::test {
namespace {

using Row = std::vector<double>;

Row values_of(const SmallTensor& t) {
  Row values(t.n_elements());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (t.type == kF32) {
      float value = 0;
      std::memcpy(&value, &t.data[i * sizeof value], sizeof value);
      values[i] = static_cast<double>(value);
    } else if (t.type == kF16) {
      std::uint16_t half = 0;
      std::memcpy(&half, &t.data[i * sizeof half], sizeof half);
      values[i] = static_cast<double>(f16_to_f32(half));
    } else {  // I2_S
      float scale = 0;
      std::memcpy(&scale, &t.data[values.size() / 4], sizeof scale);
      const auto byte = static_cast<unsigned>(t.data[i / 128 * 32 + i % 32]);
      const int code = static_cast<int>(byte >> (6 - 2 * (i % 128 / 32)) & 3U);
      values[i] = (code - 1) * static_cast<double>(scale);
    }
  }
  return values;
}

class Reference {
 public:
  Reference(const SmallModel& model, const ReferenceGraph& graph) : g_(graph) {
    for (const SmallTensor& t : model.tensors()) tensors_[t.name] = values_of(t);
    head_dim_ = g_.shape.head_dim == 0 ? g_.shape.hidden / g_.shape.heads : g_.shape.head_dim;
  }

  std::vector<Row> logits(const std::vector<TokenId>& tokens) {
    std::vector<Row> x;
    for (const TokenId id : tokens) {
      x.push_back(scaled(part("token_embd.weight", to_index(id), g_.shape.hidden), g_.embedding_scale));
    }
    for (std::size_t layer = 0; layer < g_.shape.layers; ++layer) {
      const std::string p = "blk." + std::to_string(layer) + ".";
      const std::vector<Row> mixed = attention(p, layer, x);
      for (std::size_t t = 0; t < x.size(); ++t) {
        const Row attended = times(p + "attn_output.weight", norm(mixed[t], p + "attn_sub_norm.weight"));
        x[t] = sum(x[t], scaled(attended, g_.residual_scale));
        const Row h = norm(x[t], p + "ffn_norm.weight");
        const Row fed = has(p + "ffn_gate_inp.weight") ? mixture(p, h) : feed_forward(p, "", 0, h);
        x[t] = sum(x[t], scaled(fed, g_.residual_scale));
      }
    }
    const char* head = has("output.weight") ? "output.weight" : "token_embd.weight";
    std::vector<Row> all;
    for (const Row& row : x)
      all.push_back(scaled(times(head, norm(row, "output_norm.weight")), 1 / g_.logit_scale));
    return all;
  }

 private:
  bool has(const std::string& name) const { return tensors_.contains(name); }

  // Row `index` of rows of n.
  Row part(const std::string& name, std::size_t index, std::size_t n) const {
    const auto begin = tensors_.at(name).begin() + static_cast<std::ptrdiff_t>(index * n);
    return {begin, begin + static_cast<std::ptrdiff_t>(n)};
  }

  static Row sum(Row a, const Row& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
  }

  static Row scaled(Row x, double factor) {
    for (double& value : x) value *= factor;
    return x;
  }

  // Of a norm that is not there: x.
  Row norm(Row x, const std::string& name) const {
    if (!has(name)) return x;
    const Row& weight = tensors_.at(name);
    double squares = 0;
    for (const double v : x) squares += v * v;
    const double root = std::sqrt(squares / static_cast<double>(x.size()) + g_.epsilon);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = x[i] / root * weight.at(i);
    return x;
  }

  // Matrix `index` of a stack of `n` of them, times x.
  Row times(const std::string& name, const Row& x, std::size_t index = 0, std::size_t n = 1) const {
    const Row& w = tensors_.at(name);
    Row y(w.size() / n / x.size());
    for (std::size_t r = 0; r < y.size(); ++r) {
      for (std::size_t i = 0; i < x.size(); ++i) y[r] += w[(index * y.size() + r) * x.size() + i] * x[i];
    }
    return y;
  }

  // One head of row, normalized and turned to its position.
  Row head(const Row& row, std::size_t index, const std::string& norm_name, std::size_t layer,
           std::size_t position) const {
    const auto begin = row.begin() + static_cast<std::ptrdiff_t>(index * head_dim_);
    Row x = norm({begin, begin + static_cast<std::ptrdiff_t>(head_dim_)}, norm_name);
    if (!g_.rotates(layer)) return x;
    const std::size_t n = g_.frequency.size();
    for (std::size_t i = 0; i < n; ++i) {
      const double angle = static_cast<double>(position) * g_.frequency[i];
      double& a = x[g_.neighbours ? 2 * i : i];
      double& b = x[g_.neighbours ? 2 * i + 1 : i + n];
      const double turned = g_.magnitude * (a * std::cos(angle) - b * std::sin(angle));
      b = g_.magnitude * (b * std::cos(angle) + a * std::sin(angle));
      a = turned;
    }
    return x;
  }

  std::vector<Row> attention(const std::string& p, std::size_t layer, const std::vector<Row>& x) const {
    std::vector<Row> q;
    std::vector<Row> k;
    std::vector<Row> v;
    for (const Row& row : x) {
      const Row h = norm(row, p + "attn_norm.weight");
      q.push_back(times(p + "attn_q.weight", h));
      k.push_back(times(p + "attn_k.weight", h));
      v.push_back(times(p + "attn_v.weight", h));
    }
    std::vector<Row> mixed(x.size(), Row(g_.shape.heads * head_dim_));
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (std::size_t head_index = 0; head_index < g_.shape.heads; ++head_index) {
        const std::size_t kv_head = head_index / (g_.shape.heads / g_.shape.kv_heads);
        const Row query = head(q[t], head_index, p + "attn_q_norm.weight", layer, t);
        Row weight(t + 1);
        for (std::size_t j = 0; j <= t; ++j) {
          if (t - j >= g_.n_seen(layer)) continue;
          const Row key = head(k[j], kv_head, p + "attn_k_norm.weight", layer, j);
          weight[j] = std::exp(std::inner_product(query.begin(), query.end(), key.begin(), 0.0) /
                               std::sqrt(static_cast<double>(head_dim_)));
        }
        const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
        for (std::size_t j = 0; j <= t; ++j) {
          for (std::size_t i = 0; i < head_dim_; ++i)
            mixed[t][head_index * head_dim_ + i] += weight[j] / total * v[j][kv_head * head_dim_ + i];
        }
      }
    }
    return mixed;
  }

  Row feed_forward(const std::string& p, const std::string& suffix, std::size_t expert, const Row& h) const {
    const std::size_t n = suffix.empty() ? 1 : g_.shape.experts;
    Row gate = times(p + "ffn_gate" + suffix + ".weight", h, expert, n);
    const Row up = times(p + "ffn_up" + suffix + ".weight", h, expert, n);
    for (std::size_t i = 0; i < gate.size(); ++i) {
      const double g = g_.clamp > 0 ? std::min(gate[i], g_.clamp) : gate[i];
      const double u = g_.clamp > 0 ? std::clamp(up[i], -g_.clamp, g_.clamp) : up[i];
      gate[i] = (g_.relu_squared ? std::pow(std::max(g, 0.0), 2) : g / (1 + std::exp(-g))) * u;
    }
    return times(p + "ffn_down" + suffix + ".weight", norm(gate, p + "ffn_sub_norm.weight"), expert, n);
  }

  // The softmax of all, of which the largest are kept and made to add up to 1.
  Row mixture(const std::string& p, const Row& h) const {
    Row share = times(p + "ffn_gate_inp.weight", h);
    for (double& s : share) s = std::exp(s);
    std::vector<std::size_t> order(share.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return share[a] > share[b]; });
    order.resize(g_.shape.experts_used);
    double total = 0;
    for (const std::size_t e : order) total += share[e];
    Row out(h.size());
    for (const std::size_t e : order) {
      const Row y = feed_forward(p, "_exps", e, h);
      for (std::size_t i = 0; i < out.size(); ++i) out[i] += share[e] / total * y[i];
    }
    return out;
  }

  const ReferenceGraph& g_;
  std::size_t head_dim_;
  std::map<std::string, Row> tensors_;
};

}  // namespace

std::vector<double> plain_frequencies(double theta, std::size_t n) {
  std::vector<double> frequency;
  for (std::size_t i = 0; i < n / 2; ++i)
    frequency.push_back(std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(n)));
  return frequency;
}

std::vector<std::vector<double>> reference_logits(const SmallModel& model, const ReferenceGraph& graph,
                                                  const std::vector<TokenId>& tokens) {
  return Reference(model, graph).logits(tokens);
}

}  // namespace bitnet::test
