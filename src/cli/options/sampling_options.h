// Options by which the next token is chosen.
#pragma once

#include "bitnet/model.h"
#include "bitnet/sampler.h"
#include "cli/options/command.h"

namespace bitnet::cli {

class SamplingOptions {
 public:
  // `defaults` hold where the command line says nothing.
  explicit SamplingOptions(const SamplerOptions& defaults = {}) : defaults_(defaults), given_(defaults) {}

  // Adds the options; this object must stay where it is until the command line is parsed.
  void add_to(Command& command);
  // Warns of options that greedy sampling makes idle.
  void warn_of_idle() const;

  SamplerOptions sampler() const;
  // The fastest that gives this sampler the logits it asks for, exactly.
  HeadKind head() const;

 private:
  SamplerOptions defaults_;
  SamplerOptions given_;
  bool greedy_ = false;
};

}  // namespace bitnet::cli
