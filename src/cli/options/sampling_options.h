// Options by which the next token is chosen.
#pragma once

#include <string>
#include <vector>

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
  // Throws UsageError for an option that could have no effect beside the others: whoever gave it expects one.
  void check() const;
  // Whether it was, be it 0.
  bool is_temperature_given() const { return temperature_given_ || greedy_; }
  // Of the given ones those that have no effect on what is greedy without having been asked for.
  std::vector<std::string> idle_if_greedy() const;
  // Says which seed was drawn, if a random one was asked for.
  void announce() const;

  SamplerOptions sampler() const;
  // The fastest that gives this sampler the logits it asks for, exactly.
  HeadKind head() const;
  // Those that were given other values than their defaults, by name.
  std::vector<std::string> given() const;

 private:
  SamplerOptions defaults_;
  SamplerOptions given_;
  bool greedy_ = false;
  bool temperature_given_ = false;
  bool random_seed_ = false;
};

}  // namespace bitnet::cli
