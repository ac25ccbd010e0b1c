#include "cli/options/sampling_options.h"

#include <spdlog/spdlog.h>

#include "cli/options/number_option.h"

namespace bitnet::cli {

void SamplingOptions::add_to(Command& c) {
  SamplerOptions& s = given_;
  auto* greedy = c.add_flag("--greedy", greedy_,
                            defaults_.temperature == 0 ? "The likeliest token every time, as without --temp"
                                                       : "The likeliest token every time");
  auto* temp = add_number(c, "--temp", s.temperature, "Temperature; 0: greedy");
  temp->type_name("T")->excludes(greedy);
  auto* top_k = add_number(c, "--top-k", s.top_k, "Only the K likeliest tokens; 0: all")->type_name("K");
  auto* top_p = add_number(c, "--top-p", s.top_p, "Only the likeliest that make up P; 1: all");
  top_p->type_name("P");
  auto* min_p = add_number(c, "--min-p", s.min_p, "Drop tokens under P times the best");
  min_p->type_name("P");
  auto* penalty = add_number(c, "--repeat-penalty", s.repeat_penalty, "On the last 64 tokens; 1: off");
  penalty->type_name("X");
  auto* seed = add_number(c, "--seed", s.seed, "Same seed, same text")->type_name("N");
  for (Option* option : {greedy, temp, top_k, top_p, min_p, penalty, seed}) option->group("Sampling");
}

void SamplingOptions::warn_of_idle() const {
  if (sampler().temperature != 0) return;
  const auto warn = [](bool set, const char* name) {
    if (set) spdlog::warn("{} has no effect in greedy mode; pass --temp to sample", name);
  };
  warn(given_.top_k != defaults_.top_k, "--top-k");
  warn(given_.top_p != defaults_.top_p, "--top-p");
  warn(given_.min_p != defaults_.min_p, "--min-p");
  warn(given_.repeat_penalty != defaults_.repeat_penalty, "--repeat-penalty");
  warn(given_.seed != defaults_.seed, "--seed");
}

SamplerOptions SamplingOptions::sampler() const {
  SamplerOptions chosen = given_;
  if (greedy_) chosen.temperature = 0;
  return chosen;
}

HeadKind SamplingOptions::head() const {
  return Sampler(sampler(), 1).query({}) ? HeadKind::screened : HeadKind::exact;
}

}  // namespace bitnet::cli
