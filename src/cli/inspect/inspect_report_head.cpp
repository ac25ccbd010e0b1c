#include "cli/inspect/inspect_report_head.h"

#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>

#include "cli/terminal/json_text.h"
#include "cli/terminal/memory_use.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

std::string format_head_effect(const HeadEffect& e) {
  if (e.is_ternary()) return "";
  const LogitsDifference& d = e.difference;
  std::string text = fmt::format("\nLogits with --head int8 against the stored {} head\n", e.stored_type);
  const auto line = [&](const std::string& name, const std::string& value) {
    text += fmt::format("  {:<20} {}\n", name, value);
  };
  line("positions",
       fmt::format("{} of {}", e.sample.size(), e.is_text ? "a text" : "ids across the vocabulary"));
  const std::size_t n_left_out = e.sample.size() - d.n_positions;
  if (n_left_out > 0) line("left out", fmt::format("{} with logits that are not finite", n_left_out));
  if (d.n_positions > 0) {
    line("same best token", fmt::format("at {} of {}", d.same_best, d.n_positions));
    line(fmt::format("same best {}", e.n_best), fmt::format("at {} of {}", d.same_best_set, d.n_positions));
    const auto difference = [&](double value) {
      const std::string share =
          d.deviation > 0 ? fmt::format(" = {:.3g} standard deviations", value / d.deviation) : "";
      return fmt::format("{:.3g}{}", value, share);
    };
    line("largest difference", difference(d.max_abs));
    line("RMS difference", difference(d.rms));
    line("standard deviation", fmt::format("{:.4g} of the stored head's logits", d.deviation));
    line("lowest cosine", fmt::format("{:.9f}", d.lowest_cosine));
  }
  line("memory", fmt::format("{:.3f} MiB more, beside {:.3f} MiB stored", to_mib(e.copy_bytes),
                             to_mib(e.stored_bytes)));
  line("made in", fmt::format("{:.3f} s", e.seconds));
  return text;
}

Json head_effect_json(const HeadEffect& e) {
  Json json = {{"stored_type", e.stored_type},
               {"stored_bytes", e.stored_bytes},
               {"copy_bytes", e.copy_bytes},
               {"seconds", e.seconds},
               {"sample", nullptr},
               {"positions", e.sample.size()},
               {"compared", e.difference.n_positions},
               {"same_best", nullptr},
               {"n_best", e.n_best},
               {"same_best_set", nullptr},
               {"max_difference", nullptr},
               {"rms_difference", nullptr},
               {"deviation", nullptr},
               {"lowest_cosine", nullptr}};
  if (!e.is_ternary()) json["sample"] = e.is_text ? "text" : "ids";
  const LogitsDifference& d = e.difference;
  if (d.n_positions == 0) return json;
  json["same_best"] = d.same_best;
  json["same_best_set"] = d.same_best_set;
  json["max_difference"] = number_json(d.max_abs);
  json["rms_difference"] = number_json(d.rms);
  json["deviation"] = number_json(d.deviation);
  json["lowest_cosine"] = number_json(d.lowest_cosine);
  return json;
}

}  // namespace bitnet::cli
