#include "cli/bench/bench_gate.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/mapped_file.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/model_options.h"
#include "cli/terminal/saved_json.h"

namespace bitnet::cli {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSaveOne = "save a run with bitnet bench -o json > FILE";
constexpr SavedForm kForm{kBenchSchema, kBenchVersion, "benchmark run", kSaveOne};

Json parse_file(const std::string& path, const std::string& shown) {
  const MappedFile file(path);
  return parse_saved({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, shown, kForm);
}

}  // namespace

BenchGate::BenchGate(const std::string& path) : path_(printable(path, kMaxPrintedPath)) {
  const Json json = parse_file(path, path_);
  const auto refuse_result = [this](const char* what) {
    throw ModelError(path_, "result " + std::to_string(rows_.size() + 1) + " " + what, kSaveOne);
  };
  try {
    for (const Json& result : json.at("results")) {
      SavedRow row;
      result.at("model").get_to(row.model);
      result.at("backend").get_to(row.backend);
      const Json& threads = result.at("threads");
      if (!threads.is_number_unsigned()) refuse_result("has no number of threads");
      threads.get_to(row.n_threads);
      result.at("test").get_to(row.test);
      result.at("head").at("kind").get_to(row.head);
      result.at("tokens_per_second_median").get_to(row.median);
      if (!(std::isfinite(row.median) && row.median > 0)) refuse_result("has no speed above 0");
      rows_.push_back(std::move(row));
    }
  } catch (const Json::exception&) {
    refuse_result("lacks a field or has one of another type");
  }
}

const BenchGate::SavedRow* BenchGate::find(const BenchRow& row) const {
  const std::string test = name_of(row.test);
  const bool is_decode = row.test.kind == BenchmarkTest::Kind::decode;
  const auto found = std::ranges::find_if(rows_, [&](const SavedRow& saved) {
    return saved.model == row.model && saved.backend == row.backend && saved.n_threads == row.n_threads &&
           saved.test == test && (!is_decode || saved.head == name_of(row.head.kind));
  });
  return found == rows_.end() ? nullptr : &*found;
}

void BenchGate::require_common_row(const std::vector<BenchRow>& rows) const {
  if (std::ranges::any_of(rows, [&](const BenchRow& row) { return find(row) != nullptr; })) return;
  throw ModelError(path_, "has no row with a model, backend, number of threads, test and head of this run",
                   "pass the options with which it was saved");
}

std::vector<std::string> BenchGate::regressions(const std::vector<BenchRow>& rows, double tolerance) const {
  std::vector<std::string> lines;
  for (const BenchRow& row : rows) {
    const SavedRow* const saved = find(row);
    if (saved == nullptr) continue;
    const double median = statistics_of(row.rates).median;
    if (median >= saved->median * (1 - tolerance / 100)) continue;
    lines.push_back(fmt::format("{}: {:.2f} tok/s, {:.1f} % below the {:.2f} of {}", name_of(row), median,
                                (1 - median / saved->median) * 100, saved->median, path_));
  }
  return lines;
}

}  // namespace bitnet::cli
