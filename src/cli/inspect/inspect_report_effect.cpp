#include "cli/inspect/inspect_report_effect.h"

#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/terminal/memory_use.h"
#include "diagnostics/json_text.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string section_line(const std::string& name, const std::string& value) {
  return fmt::format("  {:<20} {}\n", name, value);
}

// `of_what` has the logits that the standard deviation is taken of.
std::string format_difference(const LogitsDifference& d, std::size_t n_sample, bool is_text,
                              std::size_t n_best, std::string_view of_what) {
  std::string text = section_line(
      "positions", fmt::format("{} of {}", n_sample, is_text ? "a text" : "ids across the vocabulary"));
  const std::size_t n_left_out = n_sample - d.n_positions;
  if (n_left_out > 0)
    text += section_line("left out", fmt::format("{} with logits that are not finite", n_left_out));
  if (d.n_positions == 0) return text;
  text += section_line("same best token", fmt::format("at {} of {}", d.same_best, d.n_positions));
  text += section_line(fmt::format("same best {}", n_best),
                       fmt::format("at {} of {}", d.same_best_set, d.n_positions));
  const auto difference = [&](double value) {
    const std::string share =
        d.deviation > 0 ? fmt::format(" = {:.3g} standard deviations", value / d.deviation) : "";
    return fmt::format("{:.3g}{}", value, share);
  };
  text += section_line("largest difference", difference(d.max_abs));
  text += section_line("RMS difference", difference(d.rms));
  text += section_line("standard deviation", fmt::format("{:.4g} of the {} logits", d.deviation, of_what));
  text += section_line("lowest cosine", fmt::format("{:.9f}", d.lowest_cosine));
  return text;
}

void add_difference(Json& json, const LogitsDifference& d, std::size_t n_sample, std::size_t n_best) {
  json.update({{"positions", n_sample},
               {"compared", d.n_positions},
               {"same_best", nullptr},
               {"n_best", n_best},
               {"same_best_set", nullptr},
               {"max_difference", nullptr},
               {"rms_difference", nullptr},
               {"deviation", nullptr},
               {"lowest_cosine", nullptr}});
  if (d.n_positions == 0) return;
  json["same_best"] = d.same_best;
  json["same_best_set"] = d.same_best_set;
  json["max_difference"] = number_json(d.max_abs);
  json["rms_difference"] = number_json(d.rms);
  json["deviation"] = number_json(d.deviation);
  json["lowest_cosine"] = number_json(d.lowest_cosine);
}

}  // namespace

std::string format_effect(const HeadEffect& e) {
  if (e.is_ternary()) return "";
  return fmt::format("\nLogits with --head int8 against the stored {} head\n", e.stored_type) +
         format_difference(e.difference, e.sample.size(), e.is_text, e.n_best, "stored head's") +
         section_line("memory", fmt::format("{:.3f} MiB more, beside {:.3f} MiB stored", to_mib(e.copy_bytes),
                                            to_mib(e.stored_bytes))) +
         section_line("made in", fmt::format("{:.3f} s", e.seconds));
}

std::string format_effect(const KvEffect& e) {
  return "\nLogits with --kv-type q8 against the f16 cache\n" +
         format_difference(e.difference, e.sample.ids.size(), e.sample.is_text, e.n_best, "f16 cache's") +
         section_line("memory", fmt::format("{} bytes a position, f16 {}", e.q8_bytes, e.f16_bytes));
}

Json effect_json(const HeadEffect& e) {
  Json json = {{"stored_type", e.stored_type},
               {"stored_bytes", e.stored_bytes},
               {"copy_bytes", e.copy_bytes},
               {"seconds", e.seconds},
               {"sample", nullptr}};
  if (!e.is_ternary()) json["sample"] = e.is_text ? "text" : "ids";
  add_difference(json, e.difference, e.sample.size(), e.n_best);
  return json;
}

Json effect_json(const KvEffect& e) {
  Json json = {
      {"f16_bytes", e.f16_bytes}, {"q8_bytes", e.q8_bytes}, {"sample", e.sample.is_text ? "text" : "ids"}};
  add_difference(json, e.difference, e.sample.ids.size(), e.n_best);
  return json;
}

}  // namespace bitnet::cli
