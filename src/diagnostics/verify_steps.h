// The steps of a pass, each with a digest: text hardly changes where a step is computed otherwise, and by
// these the first such step has a name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bitnet/model.h"
#include "diagnostics/logits_digest.h"
#include "diagnostics/trace.h"
#include "diagnostics/verify_setup.h"

namespace bitnet {

// Of each step's values over some prompts, one after the other; the same whatever the table, the threads and
// the chunk.
class StepDigests {
 public:
  explicit StepDigests(const Model& model);

  void add(const VerifySetup& setup, const SuitePrompt& prompt);

  // In the order of the graph, named as in traces: "blk.0.ffn_act".
  std::size_t size() const { return tensors_.size(); }
  const std::string& name(std::size_t i) const { return tensors_[i].name; }
  std::uint64_t value(std::size_t i) const { return digests_[i].value(); }

 private:
  const Model& model_;
  std::vector<TraceTensor> tensors_;
  std::vector<LogitsDigest> digests_;
};

}  // namespace bitnet
