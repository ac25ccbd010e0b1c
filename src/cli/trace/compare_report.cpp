#include "cli/trace/compare_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/printable.h"
#include "diagnostics/json_text.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string shown(const std::string& tensor) { return printable(tensor, kMaxPrintedName); }

double worst(const std::vector<TensorComparison>& tensors, double TensorComparison::*field, bool lowest) {
  double value = lowest ? 1 : 0;
  for (const TensorComparison& t : tensors) {
    if (std::isnan(t.*field)) return t.*field;
    value = lowest ? std::min(value, t.*field) : std::max(value, t.*field);
  }
  return value;
}

// --- JSON
// ---------------------------------------------------------------------------------------------------
//
// One object:
//   schema, version     "bitnet.compare", 1
//   program, commit     that wrote the report
//   verdict             "identical" (the same bits, the same tokens, and nothing of the reference left out),
//                       "within" the thresholds, or "differs"
//   tested, reference   {file, model, backend, kv_type, activations, hidden_act, i2s_layout, head,
//                       program, commit}; file is null where the model was run for it, the others where the
//                       dump does not say
//   n_tokens            that were run; null where neither side says
//   thresholds          {min_cosine, max_abs_error, max_relative_error, min_token_match, exact}; null: none
//   min_cosine, max_abs_error, max_relative_error
//                       the worst of all tensors; null where a value is not finite
//   first_different     {tensor, position}: the first value that has not the same bits, in the order of the
//                       graph; null: there is none
//   first_beyond        the same for the first position beyond the thresholds
//   tokens              {positions, continuation}: likeliest tokens, of the logits at each position and of
//                       the greedy continuation; null where a side has none, or
//     steps, compared, matched
//     exact_match_rate  matched / compared
//     near_ties         mismatches where the reference's best two logits are no further apart than ten times
//                       the largest difference of any logit: either may win
//     first_mismatch    the first step that does not match and is no near-tie; null: there is none
//   only_in_tested, only_in_reference
//                       names that were not compared
//   tensors             one object for each, in the order of the graph:
//     name, positions, width
//     first_position    of those that were compared: 0, or the last where one side has that alone
//     min_cosine        lowest of any position, and worst_position, where that is
//     max_abs_error     largest |tested - reference|
//     max_relative_error  the same over the position's largest |reference|
//     different         values that have not the same bits
//     not_finite        values that are NaN or infinite on either side
//     not_finite_tested, not_finite_reference
//                       on each
//     first_different, first_beyond
//                       positions, or null

Json or_null(double value) { return number_json(value); }
template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}
Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json side_json(const ComparedSide& side) {
  return {{"file", or_null(side.file)},
          {"model", or_null(printable(side.info.model, kMaxPrintedPath))},
          {"backend", or_null(side.info.backend)},
          {"kv_type", or_null(side.info.kv_type)},
          {"activations", or_null(side.info.activations)},
          {"hidden_act", or_null(side.info.hidden_act)},
          {"i2s_layout", or_null(side.info.i2s_layout)},
          {"head", or_null(side.info.head)},
          {"program", or_null(side.info.program)},
          {"commit", or_null(side.info.commit)}};
}

Json place_json(const TensorComparison* t, std::optional<std::size_t> TensorComparison::*position) {
  if (t == nullptr) return {};
  return {{"tensor", shown(t->name)}, {"position", *(t->*position)}};
}

Json tokens_json(const std::optional<TokenComparison>& c) {
  if (!c) return {};
  return {{"steps", c->n_steps},         {"compared", c->n_compared},
          {"matched", c->n_matched},     {"exact_match_rate", c->match_rate()},
          {"near_ties", c->n_near_ties}, {"first_mismatch", or_null(c->first_mismatch)}};
}

Json tensor_json(const TensorComparison& t) {
  return {{"name", shown(t.name)},
          {"positions", t.rows},
          {"first_position", t.first_position},
          {"width", t.cols},
          {"min_cosine", or_null(t.min_cosine)},
          {"worst_position", t.worst_position},
          {"max_abs_error", or_null(t.max_abs_error)},
          {"max_relative_error", or_null(t.max_relative_error)},
          {"different", t.n_different},
          {"not_finite", t.n_not_finite},
          {"not_finite_tested", t.n_not_finite_in_first},
          {"not_finite_reference", t.n_not_finite_in_reference},
          {"first_different", or_null(t.first_different)},
          {"first_beyond", or_null(t.first_beyond)}};
}

Json names_json(const std::vector<std::string>& names) {
  Json json = Json::array();
  for (const std::string& name : names) json.push_back(shown(name));
  return json;
}

std::string describe(const TokenComparison& c) {
  std::string text = fmt::format("{} of {} agree", c.n_matched, c.n_compared);
  if (c.n_compared < c.n_steps)
    text += fmt::format("; the {} after that are of other texts", c.n_steps - c.n_compared);
  if (c.n_near_ties > 0) text += fmt::format("; near-ties: {}", c.n_near_ties);
  if (c.first_mismatch) text += fmt::format("; first other one: {}", *c.first_mismatch);
  return text;
}

std::string place(const TensorComparison* t, std::optional<std::size_t> TensorComparison::*position) {
  return t == nullptr ? "none" : fmt::format("{}, position {}", shown(t->name), *(t->*position));
}

}  // namespace

std::string describe_left_out(const TraceComparison& c) {
  const std::size_t n = c.only_in_reference.size();
  return fmt::format("{} {} no counterpart and {} not compared, the first {}", n,
                     n == 1 ? "of its tensors has" : "of its tensors have", n == 1 ? "was" : "were",
                     shown(c.only_in_reference.front()));
}

std::string verdict_of(const CompareReport& report) {
  if (!report.comparison.passes(report.thresholds)) return "differs";
  return report.comparison.identical() ? "identical" : "within";
}

std::string describe_failure(const CompareReport& report) {
  const TraceComparison& c = report.comparison;
  if (const TensorComparison* t = c.first_beyond(); t != nullptr) {
    const std::string values =
        t->n_not_finite > 0
            ? fmt::format("values that are not finite: {} of the tested, {} of the reference",
                          t->n_not_finite_in_first, t->n_not_finite_in_reference)
            : fmt::format("lowest cosine {:.8g}, max abs error {:.3g}, max relative error {:.3g}",
                          t->min_cosine, t->max_abs_error, t->max_relative_error);
    return fmt::format("{} is the first tensor beyond the thresholds, at position {} ({})", shown(t->name),
                       *t->first_beyond, values);
  }
  if (report.thresholds.exact && !c.only_in_reference.empty()) {
    return describe_left_out(c) + "; --exact wants them all, --tensors chooses some";
  }
  const double least = report.thresholds.min_token_match;
  const bool in_positions = c.positions && c.positions->score() < least;
  const TokenComparison& tokens = in_positions ? *c.positions : *c.continuation;
  return fmt::format("the likeliest tokens {} differ: {}",
                     in_positions ? "at the positions" : "of the greedy continuation", describe(tokens));
}

std::string format_compare_table(const CompareReport& report) {
  const TraceComparison& c = report.comparison;
  std::size_t name_width = 6;
  for (const TensorComparison& t : c.tensors) name_width = std::max(name_width, shown(t.name).size());
  std::string text = fmt::format("{:<{}} {:>6} {:>6} {:>13} {:>10} {:>10}\n", "tensor", name_width, "tokens",
                                 "width", "lowest cosine", "max abs", "max rel");
  for (const TensorComparison& t : c.tensors) {
    std::string mark = t.n_different == 0 ? "identical" : t.first_beyond ? "differs" : "within";
    if (t.last_row_alone) mark += ", the last position";
    text += fmt::format("{:<{}} {:>6} {:>6} {:>13.9f} {:>10.3g} {:>10.3g}  {}\n", shown(t.name), name_width,
                        t.rows, t.cols, t.min_cosine, t.max_abs_error, t.max_relative_error, mark);
  }
  text += "\n";
  if (c.positions) text += "best logits           " + describe(*c.positions) + "\n";
  if (c.continuation) text += "greedy continuation   " + describe(*c.continuation) + "\n";
  text += "first difference      " + place(c.first_different(), &TensorComparison::first_different) + "\n";
  text += "first beyond limits   " + place(c.first_beyond(), &TensorComparison::first_beyond) + "\n";
  if (!c.only_in_reference.empty()) {
    text += fmt::format("not compared          {} of the reference, the first {}\n",
                        c.only_in_reference.size(), shown(c.only_in_reference.front()));
  }
  return text + "verdict               " + verdict_of(report) + "\n";
}

std::string format_compare_json(const CompareReport& report) {
  const TraceComparison& c = report.comparison;
  const CompareThresholds& limits = report.thresholds;
  const std::size_t n_tokens = std::max(report.tested.info.ids.size(), report.reference.info.ids.size());
  Json all = schema_json("bitnet.compare", 1);
  all.update(
      {{"verdict", verdict_of(report)},
       {"tested", side_json(report.tested)},
       {"reference", side_json(report.reference)},
       {"n_tokens", n_tokens == 0 ? Json() : Json(n_tokens)},
       {"thresholds",
        {{"min_cosine", limits.min_cosine},
         {"max_abs_error", or_null(limits.max_abs_error)},
         {"max_relative_error", or_null(limits.max_relative_error)},
         {"min_token_match", limits.min_token_match},
         {"exact", limits.exact}}},
       {"min_cosine", or_null(worst(c.tensors, &TensorComparison::min_cosine, true))},
       {"max_abs_error", or_null(worst(c.tensors, &TensorComparison::max_abs_error, false))},
       {"max_relative_error", or_null(worst(c.tensors, &TensorComparison::max_relative_error, false))},
       {"first_different", place_json(c.first_different(), &TensorComparison::first_different)},
       {"first_beyond", place_json(c.first_beyond(), &TensorComparison::first_beyond)},
       {"tokens", {{"positions", tokens_json(c.positions)}, {"continuation", tokens_json(c.continuation)}}},
       {"only_in_tested", names_json(c.only_in_first)},
       {"only_in_reference", names_json(c.only_in_reference)},
       {"tensors", Json::array()}});
  for (const TensorComparison& t : c.tensors) all["tensors"].push_back(tensor_json(t));
  return all.dump(2) + "\n";
}

}  // namespace bitnet::cli
