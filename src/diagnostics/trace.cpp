#include "diagnostics/trace.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "bitnet/error.h"
#include "bitnet/version.h"
#include "engine/session_impl.h"
#include "model/hidden_act.h"
#include "model/i2s/layout_judge.h"
#include "model/model_impl.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kMaxTraceBytes = std::uint64_t{4} << 30;

enum class Width : std::uint8_t { hidden, q, kv, ffn, experts };
enum class Where : std::uint8_t { everywhere, with_sub_norms, with_experts, without_experts };
struct Stage {
  std::string_view name;
  std::string_view meaning;
  Width width;
  Where where = Where::everywhere;
};
// Of a layer, as Forward computes them.
constexpr std::array kStages{
    Stage{"attn_norm", "the norm before attention", Width::hidden},
    Stage{"q", "the product that makes queries", Width::q},
    Stage{"k", "the product that makes keys", Width::kv},
    Stage{"v", "the product that makes values", Width::kv},
    Stage{"q_rope", "the queries' rotation", Width::q},
    Stage{"k_rope", "the keys' rotation", Width::kv},
    Stage{"attn_mix", "attention", Width::q},
    Stage{"attn_sub_norm", "the norm behind attention", Width::q, Where::with_sub_norms},
    Stage{"attn_output", "the product behind attention", Width::hidden},
    Stage{"attn_out", "the sum with attention's output", Width::hidden},
    Stage{"ffn_norm", "the norm before the feed-forward network", Width::hidden},
    Stage{"ffn_router", "the product that chooses experts", Width::experts, Where::with_experts},
    Stage{"ffn_gate", "the gate's product", Width::ffn, Where::without_experts},
    Stage{"ffn_up", "the product beside the gate's", Width::ffn, Where::without_experts},
    Stage{"ffn_act", "the gate's activation", Width::ffn, Where::without_experts},
    Stage{"ffn_sub_norm", "the norm behind the activation", Width::ffn, Where::with_sub_norms},
    Stage{"ffn_down", "the feed-forward network's last product", Width::hidden},
    Stage{"l_out", "the sum with the feed-forward network's output", Width::hidden}};

std::size_t width_of(const Config& c, Width width) {
  switch (width) {
    case Width::q:
      return c.q_dim();
    case Width::kv:
      return c.kv_dim();
    case Width::ffn:
      return c.ffn;
    case Width::experts:
      return c.n_experts;
    default:
      return c.hidden;
  }
}

bool is_in(const Config& c, Where where) {
  switch (where) {
    case Where::with_sub_norms:
      return c.sub_norms;
    case Where::with_experts:
      return c.n_experts > 0;
    case Where::without_experts:
      return c.n_experts == 0;
    default:
      return true;
  }
}

std::string layer_name(std::size_t layer, std::string_view stage) {
  return "blk." + std::to_string(layer) + "." + std::string(stage);
}

// Takes what the observer shows, for as long as it lives.
class Recorder {
 public:
  Recorder(Session& session, Trace& trace) : session_(session), trace_(trace) {
    for (std::size_t i = 0; i < trace.tensors.size(); ++i) {
      index_.emplace(trace.tensors[i].name, i);
      trace.values.emplace_back().reserve(trace.tensors[i].rows * trace.tensors[i].cols);
    }
    session_.impl().observer = [this](std::string_view name, std::size_t layer, const float* data,
                                      std::size_t n_tokens, std::size_t width) {
      const bool of_model = name == "inp_embd" || name == "result_norm";
      add(of_model ? std::string(name) : layer_name(layer, name), {data, n_tokens * width});
    };
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder() { session_.impl().observer = nullptr; }

  void add(const std::string& name, std::span<const float> values) {
    const auto found = index_.find(name);
    if (found == index_.end()) return;
    std::vector<float>& to = trace_.values[found->second];
    to.insert(to.end(), values.begin(), values.end());
  }

 private:
  Session& session_;
  Trace& trace_;
  std::unordered_map<std::string, std::size_t> index_;
};

void add_greedy_step(TraceInfo& info, std::span<const float> logits) {
  const auto best = std::ranges::max_element(logits);
  float second = -INFINITY;
  for (auto it = logits.begin(); it != logits.end(); ++it) {
    if (it != best) second = std::max(second, *it);
  }
  const double margin = static_cast<double>(*best) - static_cast<double>(second);
  info.greedy.push_back(TokenId{static_cast<std::int32_t>(best - logits.begin())});
  info.greedy_margin.push_back(std::isfinite(margin) ? margin : 0);
}

void check(const Session& session, const TraceRequest& request) {
  if (request.ids.empty()) throw UsageError("no tokens to trace: pass a prompt or ids");
  const std::size_t n_run = request.ids.size() + (request.n_greedy == 0 ? 0 : request.n_greedy - 1);
  if (request.n_greedy > session.ctx_size() || n_run > session.ctx_size()) {
    throw UsageError(std::to_string(request.ids.size()) + " tokens and a continuation of " +
                     std::to_string(request.n_greedy) + " do not fit a context of " +
                     std::to_string(session.ctx_size()) +
                     "; shorten one of them or, if the model allows, raise --ctx-size");
  }
  std::uint64_t n_bytes = 0;
  for (const TraceTensor& t : request.tensors) n_bytes += std::uint64_t{t.rows} * t.cols * sizeof(float);
  if (n_bytes > kMaxTraceBytes) {
    throw UsageError("a trace of " + std::to_string(request.ids.size()) + " tokens would take " +
                     std::to_string(n_bytes >> 20) + " MiB of memory, and at most " +
                     std::to_string(kMaxTraceBytes >> 20) + " are used; choose fewer with --tensors");
  }
}

}  // namespace

std::vector<TraceTensor> traceable_tensors(const Model& model, std::size_t n_tokens) {
  const Config& c = model.impl().config;
  std::vector<TraceTensor> tensors{{"inp_embd", n_tokens, c.hidden}};
  for (std::size_t layer = 0; layer < c.n_layers; ++layer) {
    for (const Stage& stage : kStages) {
      if (!is_in(c, stage.where)) continue;
      tensors.push_back({layer_name(layer, stage.name), n_tokens, width_of(c, stage.width)});
    }
  }
  tensors.push_back({"result_norm", n_tokens, c.hidden});
  tensors.push_back({"logits", n_tokens, c.vocab});
  return tensors;
}

std::size_t graph_order(std::string_view name) {
  constexpr std::size_t kLast = SIZE_MAX - 2;
  constexpr std::size_t kMaxLayers = 1'000'000;
  if (name == "inp_embd") return 0;
  if (name == "result_norm") return kLast;
  if (name == "logits") return kLast + 1;
  if (!name.starts_with("blk.")) return kLast + 2;
  name.remove_prefix(4);
  std::size_t layer = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  name.remove_prefix(static_cast<std::size_t>(end - name.data()));
  if (error != std::errc{} || layer > kMaxLayers || !name.starts_with('.')) return kLast + 2;
  name.remove_prefix(1);
  const auto stage = std::ranges::find(kStages, name, &Stage::name) - kStages.begin();
  return 1 + layer * (kStages.size() + 1) + static_cast<std::size_t>(stage);
}

std::string meaning_of(std::string_view name) {
  if (name == "inp_embd") return "the tokens' embeddings";
  if (name == "result_norm") return "the norm before the head";
  if (name == "logits") return "the head's product";
  const std::size_t dot = name.rfind('.');
  if (!name.starts_with("blk.") || dot <= 4) return {};
  const auto* const stage = std::ranges::find(kStages, name.substr(dot + 1), &Stage::name);
  if (stage == kStages.end()) return {};
  return std::string(stage->meaning) + " in layer " + std::string(name.substr(4, dot - 4));
}

bool matches_any(const std::string& name, std::span<const std::string> patterns) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
  });
}

std::optional<Trace> run_trace(Session& session, const Model& model, const SessionOptions& options,
                               const TraceRequest& request, const TraceProgress& progress) {
  check(session, request);
  Trace trace;
  trace.info.model = model.info().file;
  trace.info.backend = session.backend();
  trace.info.kv_type = name_of(options.kv_type);
  trace.info.activations = name_of(session.activations());
  trace.info.hidden_act = name_of(model.info().hidden_act.act);
  if (const auto layout = model.info().i2s.layout) trace.info.i2s_layout = name_of(*layout);
  trace.info.head = session.head() == HeadKind::int8 ? "int8" : "stored";
  trace.info.program = "bitnet " + std::string(version());
  trace.info.commit = commit();
  trace.info.ids = request.ids;
  trace.tensors = request.tensors;

  const std::size_t n_total = request.ids.size() + request.n_greedy;
  const auto go_on = [&](std::size_t n_done) { return !progress || progress(n_done, n_total); };
  std::vector<float> last;
  {
    Recorder recorder(session, trace);
    const std::span<const TokenId> ids(request.ids);
    for (std::size_t first = 0; first < ids.size(); first += options.prefill_chunk) {
      if (!go_on(first)) return std::nullopt;
      const std::size_t n = std::min(options.prefill_chunk, ids.size() - first);
      session.run_all(ids.subspan(first, n), [&](Position p, std::span<const float> logits) {
        recorder.add("logits", logits);
        if (to_index(p) + 1 == ids.size()) last.assign(logits.begin(), logits.end());
      });
    }
  }
  for (std::size_t i = 0; i < request.n_greedy; ++i) {
    if (!go_on(request.ids.size() + i)) return std::nullopt;
    add_greedy_step(trace.info, last);
    if (i + 1 == request.n_greedy) break;
    const TokenId next = i < request.forced.size() ? request.forced[i] : trace.info.greedy[i];
    const std::span<const float> logits = session.run({&next, 1});
    last.assign(logits.begin(), logits.end());
  }
  return trace;
}

}  // namespace bitnet
