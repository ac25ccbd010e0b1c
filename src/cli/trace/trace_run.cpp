#include "cli/trace/trace_run.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>

#include "bitnet/error.h"
#include "cli/options/list_option.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/progress_line.h"

namespace bitnet::cli {

const char* const kTensorNames =
    "Tensors: inp_embd; of each layer blk.N. attn_norm, q, k, v, q_rope, k_rope,\n"
    "attn_mix (what attention gives), attn_sub_norm, attn_output (projected),\n"
    "attn_out (the residual after it), ffn_norm, ffn_gate, ffn_up, ffn_act,\n"
    "ffn_sub_norm, ffn_down, l_out (the residual after the layer); result_norm,\n"
    "logits";

std::optional<Trace> trace_model(const Model& model, const ModelOptions& options,
                                 const TraceRequest& request) {
  using Clock = std::chrono::steady_clock;
  Session session = make_session(model, options);
  ProgressLine line(options.quiet);
  const auto start = Clock::now();
  const auto progress = [&](std::size_t n_done, std::size_t n_tokens) {
    // A short run needs no line, and would have no speed to tell the rest by.
    const std::chrono::duration<double> seconds = Clock::now() - start;
    if (n_done > 0 && seconds.count() > 1) {
      const double left =
          seconds.count() / static_cast<double>(n_done) * static_cast<double>(n_tokens - n_done);
      line.show(fmt::format("tracing: {} of {} tokens, {:.0f} s left", n_done, n_tokens, left));
    }
    return !interrupted();
  };
  std::optional<Trace> trace = run_trace(session, model, options.session, request, progress);
  line.clear();
  if (interrupted()) return std::nullopt;
  log_profile(session, "profile");
  return trace;
}

std::vector<std::string> parse_tensor_patterns(const std::string& list) {
  std::vector<std::string> patterns = split_list(list);
  if (std::ranges::any_of(patterns, &std::string::empty)) {
    throw UsageError("--tensors '" + list + "' has an empty name; give names with commas between them");
  }
  return patterns;
}

}  // namespace bitnet::cli
