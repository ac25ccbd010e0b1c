#include "cli/convert/convert_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "cli/terminal/memory_use.h"
#include "cli/terminal/tensor_kind.h"
#include "diagnostics/json_text.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;
using convert::ConvertReport;
using convert::TensorReport;
using convert::Way;

std::string_view way_name(Way way) {
  switch (way) {
    case Way::copy:
      return "copy";
    case Way::codes:
      return "codes";
    case Way::rounded:
      return "absmean";
    case Way::values:
      return "values";
    case Way::factor:
      break;
  }
  return "factor";
}

// "256x1024"
std::string shape_text(const std::vector<std::uint64_t>& dims) {
  std::string text;
  for (const std::uint64_t d : dims) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text;
}

std::string types_text(const TensorReport& t) {
  if (t.from.empty()) return "new " + t.to;
  return t.from == t.to ? t.to : t.from + " -> " + t.to;
}

struct TensorGroup {
  std::vector<const TensorReport*> tensors;

  bool is_equal() const {
    return std::ranges::all_of(tensors, [](const TensorReport* t) { return t->proof && t->proof->is_equal; });
  }
  // The worst of the tensors.
  convert::TensorProof worst() const {
    convert::TensorProof worst;
    for (const TensorReport* t : tensors) {
      if (!t->proof) continue;
      worst.max_error = std::max(worst.max_error, t->proof->max_error);
      worst.rms_error = std::max(worst.rms_error, t->proof->rms_error);
    }
    return worst;
  }
};

std::string result_text(const TensorGroup& group) {
  const TensorReport& first = *group.tensors.front();
  const bool is_proved = first.proof.has_value();
  if (first.way == Way::copy) return is_proved ? "same bytes" : "copied";
  if (first.way == Way::factor) return is_proved ? "written" : "to be written";
  if (!is_proved) return first.is_lossless ? "lossless" : "to be measured";
  if (first.way == Way::rounded && first.is_lossless && group.is_equal()) return "rounded as the model does";
  if (group.is_equal()) return "same values";
  const convert::TensorProof worst = group.worst();
  return fmt::format("RMS error {:.2g}, max {:.2g}", worst.rms_error, worst.max_error);
}

std::string format_tensors_of(const ConvertReport& report) {
  std::vector<std::string> order;
  std::map<std::string, TensorGroup> groups;
  for (const TensorReport& t : report.tensors) {
    const std::string key = tensor_kind(t.name) + "|" + shape_text(t.dims) + "|" + types_text(t) + "|" +
                            std::string(way_name(t.way));
    TensorGroup& group = groups[key];
    if (group.tensors.empty()) order.push_back(key);
    group.tensors.push_back(&t);
  }
  std::size_t width = 0;
  for (const TensorReport& t : report.tensors) width = std::max(width, types_text(t).size());
  std::string text;
  for (const std::string& key : order) {
    const TensorGroup& group = groups[key];
    const TensorReport& first = *group.tensors.front();
    const std::string count = group.tensors.size() > 1 ? fmt::format("{} x ", group.tensors.size()) : "";
    text += fmt::format("  {:<17} {:<16} {:<{}} {}\n", printable(tensor_kind(first.name), kMaxPrintedName),
                        count + shape_text(first.dims), types_text(first), width, result_text(group));
  }
  return text;
}

std::string format_runs(const convert::RunComparison& runs) {
  std::string text = fmt::format("  tokens               {} of {}\n", runs.n_tokens,
                                 runs.is_text ? "the prompt" : "the vocabulary, which can express no text");
  if (runs.is_identical) return text + "  logits               the same bits\n";
  const LogitsDifference& d = runs.difference;
  if (d.n_positions == 0) return text + fmt::format("  logits               {}\n", kNothingToCompare);
  text += fmt::format("  same best token      at {} of {}\n", d.same_best, d.n_positions);
  text += fmt::format("  largest difference   {:.3g} = {:.3g} standard deviations\n", d.max_abs,
                      d.max_abs / d.deviation);
  text +=
      fmt::format("  RMS difference       {:.3g} = {:.3g} standard deviations\n", d.rms, d.rms / d.deviation);
  text += fmt::format("  lowest cosine        {:.9f}\n", d.lowest_cosine);
  if (runs.before != runs.after) {
    text += fmt::format("  activations          rounded as {} before, as {} now\n",
                        bitnet::name_of(runs.before), bitnet::name_of(runs.after));
  }
  return text;
}

Json json_of(const TensorReport& t) {
  Json proof;
  if (t.proof) {
    proof = {{"equal", t.proof->is_equal},
             {"rms_error", number_json(t.proof->rms_error)},
             {"max_error", number_json(t.proof->max_error)}};
  }
  return {{"name", printable(t.name, kMaxPrintedName)},
          {"shape", t.dims},
          {"from", t.from.empty() ? Json() : Json(t.from)},
          {"to", t.to},
          {"way", way_name(t.way)},
          {"lossless", t.is_lossless},
          {"from_bytes", t.from_bytes},
          {"to_bytes", t.to_bytes},
          {"proof", std::move(proof)}};
}

Json json_of(const convert::RunComparison& runs) {
  const LogitsDifference& d = runs.difference;
  return {{"text", runs.is_text},
          {"tokens", runs.n_tokens},
          {"identical", runs.is_identical},
          {"compared", d.n_positions},
          {"max_abs", number_json(d.max_abs)},
          {"rms", number_json(d.rms)},
          {"deviation", number_json(d.deviation)},
          {"lowest_cosine", number_json(d.lowest_cosine)},
          {"same_best", d.same_best},
          {"activations_before", bitnet::name_of(runs.before)},
          {"activations_after", bitnet::name_of(runs.after)}};
}

}  // namespace

std::string format_conversion(const ConvertReport& report) {
  std::string text = "Tensors: shape, type, what came of their values\n" + format_tensors_of(report);
  if (report.runs) text += "\nLogits of both files\n" + format_runs(*report.runs);
  const std::size_t n = report.tensors.size();
  std::string verdict;
  if (!report.tensors.empty() && !report.tensors.front().proof) {
    verdict = fmt::format("nothing was written; it would be {:.1f} MiB", to_mib(report.output_bytes));
  } else if (report.is_lossless()) {
    const auto n_rounded =
        std::ranges::count_if(report.tensors, [](const TensorReport& t) { return t.way == Way::rounded; });
    verdict = fmt::format("read back, and every value of all {} tensors is what {}", n,
                          report.changes_values ? "it was, but for the repairs"
                          : n_rounded > 0       ? "the model makes of it"
                                                : "it was");
  } else {
    const auto n_equal = std::ranges::count_if(
        report.tensors, [](const TensorReport& t) { return t.proof && t.proof->is_equal; });
    verdict = fmt::format(
        "read back, and {} of {} tensors are what they were; errors of the others are\n"
        "relative to the RMS of their values",
        n_equal, n);
  }
  return text + "\n" + verdict + "\n";
}

std::string conversion_json(const ConvertReport& report) {
  Json outputs = Json::array();
  for (const std::string& output : report.outputs) outputs.push_back(argument_json(output));
  Json repairs = Json::array();
  for (const convert::Repair& r : report.repairs) repairs.push_back({{"topic", r.topic}, {"what", r.what}});
  Json tensors = Json::array();
  for (const TensorReport& t : report.tensors) tensors.push_back(json_of(t));
  Json all = schema_json("bitnet.convert", 1);
  all.update({{"input", argument_json(report.input)},
              {"outputs", std::move(outputs)},
              {"bytes", report.output_bytes},
              {"written", report.is_written},
              {"lossless", report.is_written || report.failure ? Json(report.is_lossless()) : Json()},
              {"failure", report.failure ? Json(*report.failure) : Json()},
              {"repairs", std::move(repairs)},
              {"warnings", report.warnings},
              {"tensors", std::move(tensors)},
              {"runs", report.runs ? json_of(*report.runs) : Json()}});
  return in_lines(all);
}

}  // namespace bitnet::cli
