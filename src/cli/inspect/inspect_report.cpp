#include "cli/inspect/inspect_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/inspect/inspect_report_effect.h"
#include "cli/terminal/memory_use.h"
#include "cli/terminal/tensor_kind.h"
#include "diagnostics/json_text.h"
#include "model/hidden_act.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kWidth = 80;

// --- for people -----------------------------------------------------------------------------------------

// Words in lines of at most kWidth, all but the first behind an indent. A word that is longer than a line
// stands alone.
std::string wrapped(std::string line, const std::string& text, std::size_t indent) {
  std::string out;
  std::istringstream words(text);
  bool is_first = true;
  for (std::string word; words >> word;) {
    const bool starts_line = line.size() <= indent && is_first;
    if (!starts_line && line.size() + 1 + word.size() > kWidth) {
      out += line + "\n";
      line = std::string(indent, ' ') + word;
    } else {
      line += (is_first ? "" : " ") + word;
    }
    is_first = false;
  }
  return out + line + "\n";
}

std::string heading(std::string_view text) { return fmt::format("\n{}\n", text); }

std::string shape_of(const TensorSummary& t) {
  std::string shape;
  for (std::uint32_t d = 0; d < t.n_dims; ++d) shape += (d == 0 ? "" : "x") + std::to_string(t.dims[d]);
  return shape;
}

using Tensors = std::vector<const TensorSummary*>;

std::string range(double least, double greatest, const char* format) {
  const std::string low = fmt::format(fmt::runtime(format), least);
  const std::string high = fmt::format(fmt::runtime(format), greatest);
  return low == high ? low : low + ".." + high;
}

// "a" or "a..b", over tensors of one kind.
template <typename Value>
std::string range_over(const Tensors& tensors, Value value, const char* format) {
  std::vector<double> values;
  for (const TensorSummary* t : tensors) values.push_back(static_cast<double>(value(*t)));
  const auto [least, greatest] = std::ranges::minmax(values);
  return range(least, greatest, format);
}

std::string values_of(const Tensors& tensors) {
  const TensorSummary& first = *tensors.front();
  if (first.codes.total() > 0) {
    const auto zero_rate = [](const TensorSummary& t) { return 100 * t.zero_rate.value_or(0); };
    const auto scale = [](const TensorSummary& t) { return t.scale.value_or(0); };
    return fmt::format("0: {} %  scale {}", range_over(tensors, zero_rate, "{:.1f}"),
                       range_over(tensors, scale, "{:.3g}"));
  }
  if (!first.range) return "";
  float least = first.range->min;
  float greatest = first.range->max;
  for (const TensorSummary* t : tensors) {
    least = std::min(least, t->range->min);
    greatest = std::max(greatest, t->range->max);
  }
  const std::string values = range(static_cast<double>(least), static_cast<double>(greatest), "{:.3g}");
  if (!first.zero_rate) return values;
  const auto zero_rate = [](const TensorSummary& t) { return 100 * t.zero_rate.value_or(0); };
  return fmt::format("0: {} %  {}", range_over(tensors, zero_rate, "{:.1f}"), values);
}

// Of a column that holds every type's name.
std::size_t type_width(const Inspection& in, std::size_t least) {
  for (const TensorSummary& t : in.tensors) least = std::max(least, t.type.size());
  return least;
}

std::string tensor_line(const std::string& name, std::size_t n, const std::string& shape,
                        const std::string& type, std::size_t type_width, const std::string& values) {
  const std::string count = n > 1 ? fmt::format("{} x ", n) : "";
  std::string line = fmt::format("  {:<14} {:<15} {:<{}} {}", name, count + shape, type, type_width, values);
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string format_tensors(const Inspection& in, bool all) {
  std::string text = heading("Tensors: shape, type, share of zeros and scale, or range of values");
  const std::size_t width = type_width(in, 5);
  if (all) {
    for (const TensorSummary& t : in.tensors) {
      text += fmt::format("  {}\n", t.name) + tensor_line("", 1, shape_of(t), t.type, width, values_of({&t}));
    }
    return text;
  }
  // Those that are alike in kind, shape and type on one line, in the order of their first.
  std::vector<std::string> order;
  std::map<std::string, Tensors> groups;
  for (const TensorSummary& t : in.tensors) {
    const bool is_measured = t.codes.total() > 0 || t.range.has_value();
    const std::string key = tensor_kind(t.name) + "|" + shape_of(t) + "|" + t.type + (is_measured ? "" : "|");
    auto& group = groups[key];
    if (group.empty()) order.push_back(key);
    group.push_back(&t);
  }
  for (const std::string& key : order) {
    const auto& group = groups[key];
    text += tensor_line(tensor_kind(group.front()->name), group.size(), shape_of(*group.front()),
                        group.front()->type, width, values_of(group));
  }
  return text;
}

struct TypeSize {
  std::size_t n = 0;
  std::uint64_t bytes = 0;
};

std::map<std::string, TypeSize> sizes_by_type(const Inspection& in) {
  std::map<std::string, TypeSize> sizes;
  for (const TensorSummary& t : in.tensors) {
    TypeSize& size = sizes[t.type];
    ++size.n;
    size.bytes += t.bytes;
  }
  return sizes;
}

// Shares of a whole in tenths of a per cent, rounded so that they come to 100: those that lose most by being
// cut are rounded up.
std::vector<std::uint64_t> tenths_of_percent(const std::vector<std::uint64_t>& parts, std::uint64_t whole) {
  std::vector<std::uint64_t> shares;
  std::vector<std::pair<double, std::size_t>> cut;
  std::uint64_t missing = 1000;
  for (const std::uint64_t part : parts) {
    const double exact = 1000 * static_cast<double>(part) / static_cast<double>(whole);
    shares.push_back(static_cast<std::uint64_t>(exact));
    cut.emplace_back(std::floor(exact) - exact, shares.size() - 1);
    missing -= std::min(missing, shares.back());
  }
  std::ranges::sort(cut);
  for (std::size_t i = 0; i < std::min<std::size_t>(missing, cut.size()); ++i) ++shares[cut[i].second];
  return shares;
}

std::string size_line(std::string_view what, std::size_t width, const std::string& count, std::uint64_t bytes,
                      std::uint64_t tenths) {
  return fmt::format("  {:<{}} {:>13} {:>12.3f} MiB {:>6.1f} %\n", what, width, count, to_mib(bytes),
                     static_cast<double>(tenths) / 10);
}

std::string tensors_of(std::size_t n) { return fmt::format("{} tensor{}", n, n == 1 ? " " : "s"); }

std::string format_sizes(const Inspection& in) {
  std::string text = heading("Sizes by type");
  const auto types = sizes_by_type(in);
  const std::size_t width = type_width(in, 8);
  std::vector<std::uint64_t> parts;
  for (const auto& [type, size] : types) parts.push_back(size.bytes);
  if (in.is_damaged) {
    for (const auto& [type, size] : types)
      text += fmt::format("  {:<{}} {:>13}\n", type, width, tensors_of(size.n));
    return text + "  Their data was not looked into: see the error above.\n";
  }
  parts.push_back(in.other_bytes());
  const std::vector<std::uint64_t> tenths = tenths_of_percent(parts, in.file_bytes);
  std::size_t i = 0;
  for (const auto& [type, size] : types) {
    text += size_line(type, width, tensors_of(size.n), size.bytes, tenths[i++]);
  }
  text += size_line("header", width, fmt::format("{} keys   ", in.keys.size()), in.other_bytes(), tenths[i]);
  return text + size_line("all", width, tensors_of(in.tensors.size()), in.file_bytes, 1000);
}

std::string format_keys(const Inspection& in) {
  std::string text = heading("Metadata");
  for (const KeySummary& key : in.keys) {
    text += wrapped("  ", key.name + " = " + key.value, 6);
  }
  return text;
}

std::string format_findings(const Inspection& in) {
  std::string text = heading("Findings");
  for (const Finding& f : in.findings) {
    text += wrapped("  ", fmt::format("{}: {}: {}", name_of(f.level), f.topic, f.what), 4);
    text += wrapped("    ", f.meaning + ".", 4);
    if (!f.advice.empty()) text += wrapped("    ", "What to do: " + f.advice + ".", 4);
  }
  return text;
}

// "2.6 million": three digits are what one speaks of.
std::string parameters_of(const Inspection& in) {
  const auto n = static_cast<double>(in.n_parameters);
  if (n >= 0.9995e9) return fmt::format("{:.3g} billion parameters", n / 1e9);
  if (n >= 0.9995e6) return fmt::format("{:.3g} million parameters", n / 1e6);
  return fmt::format("{} parameters", in.n_parameters);
}

std::string verdict_of(const Inspection& in) {
  if (in.refusal) return "refused: this file cannot be run here";
  if (!in.is_usable()) return "do not use: it would load, and write nonsense";
  const bool has_warning =
      std::ranges::any_of(in.findings, [](const Finding& f) { return f.level == FindingLevel::warning; });
  return has_warning ? "usable, with warnings" : "healthy";
}

// --- JSON -----------------------------------------------------------------------------------------------
//
// --json prints one object:
//   schema        "bitnet.inspect"
//   version       1; it changes when a field changes its name or meaning, not when one is added
//   program, commit   that wrote it
//   file, file_bytes, gguf_version, alignment, name, architecture
//   files         of a split model the number of its parts, whose bytes are added up; otherwise 1
//   parameters    elements of all tensors; 0 in a damaged file
//   parsed        false: the header is broken, and all but file, refusal and findings is empty
//   loads         whether the engine takes the file; refusal: its message if not, or null
//   usable        no finding is an error; exit code 0
//   hidden_act    {act: "relu2" or "silu", certainty: "said", "concluded" or "assumed", reason}: of the
//                 feed-forward network's gate; null if the file is refused
//   layout        {verdict: "x86", "arm", "rows4" or "unknown", evidence_x86, evidence_arm, evidence_rows4,
//                 pairs: see src/model/i2s/layout_judge.h; read_as: the layout that the engine takes,
//                 certainty: "said", "concluded" or "assumed", reason, copied_bytes: that were copied to
//                 the layout of x86, null each for a file that is refused or without I2_S tensors}
//   findings      [{level: "ok", "note", "warning" or "error", topic, what, meaning, advice: text or null}]
//   sizes         [{type, tensors, bytes}]; bytes is 0 in a damaged file
//   other_bytes   of the file that are no tensor's data: the header, and gaps that align the data
//   metadata      [{key, type, value}]; value is cut, for people
//   tensors       [{name, shape, type, type_id, bytes,
//                   zero_rate                                            of ternary ones
//                   scale, plus_rate, minus_rate, invalid_codes          of I2_S
//                   min, max, rms, zeros, not_finite}]                   of others that are read
//   int8_head     with --head int8 only; null if the file is refused:
//                   {stored_type, stored_bytes, copy_bytes, seconds: to make the copy, sample: "text", "ids"
//                   or null, positions, compared: of them, those whose logits are finite, same_best:
//                   positions with the same best token, n_best, same_best_set: positions with the same best
//                   n_best tokens, max_difference, rms_difference: of logits, deviation: of the stored head's
//                   logits, lowest_cosine}; copy_bytes and positions are 0 for a ternary head, which has no
//                   copy, and what was not measured is null
// What is not a finite number is null.

Json tensor_json(const TensorSummary& t) {
  Json shape = Json::array();
  for (std::uint32_t d = 0; d < t.n_dims; ++d) shape.push_back(t.dims[d]);
  Json json = {
      {"name", t.name}, {"shape", shape}, {"type", t.type}, {"type_id", t.type_id}, {"bytes", t.bytes}};
  if (t.scale) json["scale"] = number_json(static_cast<double>(*t.scale));
  if (t.zero_rate) json["zero_rate"] = *t.zero_rate;
  if (t.codes.total() > 0) {
    json["plus_rate"] = t.codes.rate(t.codes.plus);
    json["minus_rate"] = t.codes.rate(t.codes.minus);
    json["invalid_codes"] = t.codes.invalid;
  }
  if (t.range) {
    json["min"] = number_json(static_cast<double>(t.range->min));
    json["max"] = number_json(static_cast<double>(t.range->max));
    json["rms"] = number_json(t.range->rms);
    json["zeros"] = t.range->n_zero;
    json["not_finite"] = t.range->n_not_finite;
  }
  return json;
}

std::string_view name_of_certainty(Certainty certainty) {
  switch (certainty) {
    case Certainty::said:
      return "said";
    case Certainty::concluded:
      return "concluded";
    case Certainty::assumed:
      break;
  }
  return "assumed";
}

Json hidden_act_json(const std::optional<HiddenActInfo>& info) {
  if (!info) return {};
  return {{"act", name_of(info->act)},
          {"certainty", name_of_certainty(info->certainty)},
          {"reason", info->reason}};
}

Json layout_json(const Inspection& in) {
  const auto verdict = in.layout.verdict();
  Json json = {{"verdict", verdict ? name_of(*verdict) : "unknown"}};
  for (const I2sLayout layout : kI2sLayouts) {
    json["evidence_" + std::string(name_of(layout))] = in.layout.evidence(layout);
  }
  json["pairs"] = in.layout.n_pairs();
  const bool is_read = in.i2s && in.i2s->layout;
  json["read_as"] = is_read ? Json(name_of(*in.i2s->layout)) : Json();
  json["certainty"] = is_read ? Json(name_of_certainty(in.i2s->certainty)) : Json();
  json["reason"] = is_read ? Json(in.i2s->reason) : Json();
  json["copied_bytes"] = is_read ? Json(in.i2s->copied_bytes) : Json();
  return json;
}

}  // namespace

std::string format_verdict(const Inspection& in) { return wrapped("", in.file + ": " + verdict_of(in), 2); }

std::string format_inspection(const Inspection& in, const InspectionExtras& extras, bool all_tensors) {
  std::string text = format_verdict(in);
  if (in.is_parsed) {
    text += fmt::format("GGUF version {}, {}{:.1f} MiB, {} keys, {} tensors{}\n", in.gguf_version,
                        in.n_files > 1 ? fmt::format("{} files of together ", in.n_files) : "",
                        to_mib(in.file_bytes), in.keys.size(), in.tensors.size(),
                        in.is_damaged ? "" : ", " + parameters_of(in));
  }
  text += format_findings(in);
  if (!in.is_parsed) return text;
  if (extras.head) text += format_effect(*extras.head);
  if (extras.kv) text += format_effect(*extras.kv);
  return text + format_sizes(in) + format_tensors(in, all_tensors) + format_keys(in);
}

std::string inspection_json(const Inspection& in, const InspectionExtras& extras) {
  Json findings = Json::array();
  for (const Finding& f : in.findings) {
    findings.push_back({{"level", name_of(f.level)},
                        {"topic", f.topic},
                        {"what", f.what},
                        {"meaning", f.meaning},
                        {"advice", f.advice.empty() ? Json() : Json(f.advice)}});
  }
  Json sizes = Json::array();
  for (const auto& [type, size] : sizes_by_type(in)) {
    sizes.push_back({{"type", type}, {"tensors", size.n}, {"bytes", size.bytes}});
  }
  Json metadata = Json::array();
  for (const KeySummary& k : in.keys)
    metadata.push_back({{"key", k.name}, {"type", k.type}, {"value", k.value}});
  Json tensors = Json::array();
  for (const TensorSummary& t : in.tensors) tensors.push_back(tensor_json(t));
  Json all = schema_json("bitnet.inspect", 1);
  all.update({{"file", in.file},
              {"file_bytes", in.file_bytes},
              {"files", in.n_files},
              {"parameters", in.n_parameters},
              {"gguf_version", in.gguf_version},
              {"alignment", in.alignment},
              {"name", in.name},
              {"architecture", in.architecture},
              {"parsed", in.is_parsed},
              {"loads", !in.refusal.has_value()},
              {"refusal", in.refusal ? Json(*in.refusal) : Json()},
              {"usable", in.is_usable()},
              {"hidden_act", hidden_act_json(in.hidden_act)},
              {"layout", layout_json(in)},
              {"findings", std::move(findings)},
              {"sizes", std::move(sizes)},
              {"other_bytes", in.other_bytes()},
              {"metadata", std::move(metadata)},
              {"tensors", std::move(tensors)}});
  if (extras.wants_head) all["int8_head"] = extras.head ? effect_json(*extras.head) : Json();
  if (extras.wants_kv) all["q8_cache"] = extras.kv ? effect_json(*extras.kv) : Json();
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bitnet::cli
