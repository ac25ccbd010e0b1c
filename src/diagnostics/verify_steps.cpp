#include "diagnostics/verify_steps.h"

#include <cassert>
#include <optional>

namespace bitnet {

StepDigests::StepDigests(const Model& model)
    : model_(model), tensors_(traceable_tensors(model, 1)), digests_(tensors_.size()) {}

void StepDigests::add(const VerifySetup& setup, const SuitePrompt& prompt) {
  Session session = make_session(model_, setup);
  TraceRequest request;
  request.ids = encode(model_, prompt);
  request.tensors = traceable_tensors(model_, request.ids.size());
  const std::optional<Trace> trace = run_trace(session, model_, session_options(setup), request, {});
  assert(trace && trace->values.size() == digests_.size());
  for (std::size_t i = 0; i < digests_.size(); ++i) digests_[i].add(trace->values[i]);
}

}  // namespace bitnet
