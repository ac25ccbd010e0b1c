#include "cli/options/sampling_options.h"

#include <random>
#include <string>

#include "bitnet/error.h"
#include "cli/options/number_option.h"
#include "cli/terminal/log.h"

namespace bitnet::cli {

void SamplingOptions::add_to(Command& c) {
  SamplerOptions& s = given_;
  auto* greedy = c.add_flag("--greedy", greedy_,
                            defaults_.temperature == 0 ? "The likeliest token every time, as without --temp"
                                                       : "The likeliest token every time");
  const auto take_temperature = [this](const std::string& text, const std::string& source) {
    given_.temperature = parse_number<float>(text, source);
    temperature_given_ = true;
  };
  auto* temp = c.add_option("--temp", take_temperature, "Of what the others leave; 0: greedy");
  temp->type_name("T")->default_str(digits_of(defaults_.temperature))->excludes(greedy);
  auto* top_k = add_number(c, "--top-k", s.top_k, "Only the K likeliest tokens; 0: all")->type_name("K");
  auto* top_p = add_number(c, "--top-p", s.top_p, "Only the likeliest that make up P; 1: all");
  top_p->type_name("P");
  auto* min_p = add_number(c, "--min-p", s.min_p, "Drop tokens under P times the best");
  min_p->type_name("P");
  auto* penalty = add_number(c, "--repeat-penalty", s.repeat_penalty, "On tokens that were there; 1: off");
  penalty->type_name("X");
  auto* window = add_number(c, "--repeat-last-n", s.repeat_window, "How far back it looks; -1: all");
  window->type_name("N");
  const auto take_seed = [this](const std::string& text, const std::string& source) {
    random_seed_ = text == "random" || text == "-1";
    // 32 bits are a number that can be typed again, and that every reader of JSON keeps.
    given_.seed = random_seed_ ? std::random_device()() : parse_number<std::uint64_t>(text, source);
  };
  auto* seed = c.add_option("--seed", take_seed, "Same seed, same text; or random");
  seed->type_name("N")->default_str(digits_of(defaults_.seed));
  for (Option* option : {greedy, temp, top_k, top_p, min_p, penalty, window, seed}) option->group("Sampling");
}

std::vector<std::string> SamplingOptions::given() const {
  std::vector<std::string> names;
  const auto add = [&](bool is_given, const char* name) {
    if (is_given) names.emplace_back(name);
  };
  add(temperature_given_, "--temp");
  add(greedy_, "--greedy");
  add(given_.top_k != defaults_.top_k, "--top-k");
  add(given_.top_p != defaults_.top_p, "--top-p");
  add(given_.min_p != defaults_.min_p, "--min-p");
  add(given_.repeat_penalty != defaults_.repeat_penalty, "--repeat-penalty");
  add(given_.repeat_window != defaults_.repeat_window, "--repeat-last-n");
  add(random_seed_ || given_.seed != defaults_.seed, "--seed");
  return names;
}

void SamplingOptions::check() const {
  if (given_.repeat_window != defaults_.repeat_window && given_.repeat_penalty == 1) {
    throw UsageError("--repeat-last-n has no effect without --repeat-penalty: give both, or neither");
  }
  if (const std::vector<std::string> idle = idle_if_greedy(); sampler().temperature == 0 && !idle.empty()) {
    throw UsageError(idle.front() +
                     " has no effect in greedy mode, which is the default: pass --temp T to sample");
  }
}

std::vector<std::string> SamplingOptions::idle_if_greedy() const {
  // Where temperature 0 was asked for by name the others keep what they promise: the best is always among
  // what they leave.
  if (is_temperature_given()) return {};
  std::vector<std::string> names = given();
  std::erase_if(names, [](const std::string& name) { return name.starts_with("--repeat"); });
  return names;
}

void SamplingOptions::announce() const {
  if (random_seed_) log_info("seed {}", given_.seed);
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
