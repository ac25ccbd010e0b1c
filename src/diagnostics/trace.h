// Named intermediates of a forward pass, kept: what `bitnet trace` writes and `bitnet compare` reads.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/model.h"
#include "bitnet/session.h"
#include "bitnet/types.h"

namespace bitnet {

// Values of one name, a row for each token: "blk.0.attn_out", [rows, cols]
struct TraceTensor {
  std::string name;
  std::size_t rows = 0;
  std::size_t cols = 0;
};

// What was traced, and with what. Dumps of other engines may leave any of it empty.
struct TraceInfo {
  std::string model;        // file, or the built-in model's name
  std::string backend;      // instruction set
  std::string kv_type;      // "f16", "f32" or "q8"
  std::string activations;  // "int8" or "f32"
  std::string hidden_act;   // "relu2" or "silu"
  std::string i2s_layout;   // "x86", "arm" or "rows4"; empty without I2_S tensors
  std::string head;         // "stored" or "int8"
  std::string program;      // that made it, "bitnet 0.1.0"
  std::string commit;       // of that
  std::vector<TokenId> ids;
  std::vector<TokenId> greedy;        // the likeliest token at each step of a continuation
  std::vector<double> greedy_margin;  // between the best two logits at each of these steps
};

// A whole trace in memory.
struct Trace {
  TraceInfo info;
  std::vector<TraceTensor> tensors;        // in the order of the graph
  std::vector<std::vector<float>> values;  // of each: [rows, cols]
};

// Everything that can be traced of n_tokens tokens, in the order of the graph.
std::vector<TraceTensor> traceable_tensors(const Model& model, std::size_t n_tokens);

// Where a name stands in the order of the graph, whatever the model; unknown names of a layer come after the
// known ones of that layer, others last.
std::size_t graph_order(std::string_view name);

// In words: "the gate's activation in layer 0"; empty for names that are not of traceable_tensors.
std::string meaning_of(std::string_view name);

// Whether one of the patterns, in which * stands for anything and ? for any character, is this name.
bool matches_any(const std::string& name, std::span<const std::string> patterns);

struct TraceRequest {
  std::vector<TraceTensor> tensors;  // some of traceable_tensors
  std::vector<TokenId> ids;          // run from the start of the context
  std::size_t n_greedy = 0;          // steps of the continuation
  // The token that follows each of these steps; where it ends, or is empty, the likeliest one does.
  std::vector<TokenId> forced;
};

// Called between chunks and steps with what is done of the tokens; returns whether to go on.
using TraceProgress = std::function<bool(std::size_t n_done, std::size_t n_tokens)>;

// Runs the ids through a session that has none yet. nullopt when `progress` stopped it. Throws UsageError
// when the tokens do not fit the context, are outside the vocabulary, or make a trace too large to be kept.
std::optional<Trace> run_trace(Session& session, const Model& model, const SessionOptions& options,
                               const TraceRequest& request, const TraceProgress& progress);

}  // namespace bitnet
