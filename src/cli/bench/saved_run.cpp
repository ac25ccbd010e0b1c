#include "cli/bench/saved_run.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/mapped_file.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/model_options.h"
#include "cli/terminal/saved_json.h"

namespace bitnet::cli {
namespace {

constexpr std::string_view kSaveARun = "save a run with bitnet bench -o json > FILE";
constexpr SavedForm kRunForm{kBenchSchema, kBenchVersion, "benchmark run", kSaveARun};
constexpr std::size_t kMostSamples = 10'000;  // of a row: comparing takes time for each pair

struct Refusal {
  std::string what;
};

std::string text_at(const SavedJson& json, const char* field) {
  return printable(json.at(field).get<std::string>(), kMaxPrintedName);
}

std::uint64_t count_at(const SavedJson& json, const char* field) {
  const SavedJson& value = json.at(field);
  if (!value.is_number_unsigned()) throw Refusal{fmt::format("has no number as {}", field)};
  return value.get<std::uint64_t>();
}

double positive(const SavedJson& value, const char* field) {
  const auto number = value.get<double>();
  if (!(std::isfinite(number) && number > 0))
    throw Refusal{fmt::format("has {} that are not above 0", field)};
  return number;
}

// One value for each sample in `field`, 0 where it is null; nothing happens in files that are older than it.
template <typename Set>
void read_samples(const SavedJson& result, const char* field, SpeedSamples& speed, Set set) {
  const auto found = result.find(field);
  if (found == result.end()) return;
  if (!found->is_array() || found->size() != speed.samples.size()) {
    throw Refusal{fmt::format("has not as many {} as speeds", field)};
  }
  for (std::size_t i = 0; i < speed.samples.size(); ++i) {
    const SavedJson& value = found->at(i);
    if (value.is_null()) continue;
    const auto number = value.get<double>();
    if (!(std::isfinite(number) && number >= 0)) throw Refusal{fmt::format("has {} below 0", field)};
    set(speed.samples[i], number);
  }
}

SpeedSamples read_speed(const SavedJson& result) {
  SpeedSamples speed;
  const SavedJson& rates = result.at("tokens_per_second_samples");
  if (!rates.is_array() || rates.empty() || rates.size() > kMostSamples) {
    throw Refusal{fmt::format("has not 1 to {} speeds", kMostSamples)};
  }
  for (const SavedJson& rate : rates) {
    SpeedSamples::Sample sample;
    sample.tokens_per_second = positive(rate, "speeds");
    speed.samples.push_back(sample);
  }
  using Sample = SpeedSamples::Sample;
  read_samples(result, "processor_seconds_samples", speed, [](Sample& s, double seconds) {
    if (seconds > 0) s.threads = ThreadTimes{.ran = seconds};
  });
  read_samples(result, "processor_wait_seconds_samples", speed, [](Sample& s, double seconds) {
    if (s.threads) s.threads->waited = seconds;
  });
  read_samples(result, "read_bytes_per_second_samples", speed,
               [](Sample& s, double rate) { s.machine.read_bytes_per_second = rate; });
  read_samples(result, "int8_macs_per_second_samples", speed,
               [](Sample& s, double rate) { s.machine.int8_macs_per_second = rate; });
  return speed;
}

SavedRow read_row(const SavedJson& result) {
  SavedRow row;
  row.model = text_at(result, "model");
  row.backend = text_at(result, "backend");
  row.n_threads = count_at(result, "threads");
  row.test = text_at(result, "test");
  row.head = text_at(result.at("head"), "kind");
  row.model_bytes = count_at(result, "model_bytes");
  row.kv_type = text_at(result, "kv_type");
  if (result.contains("activations")) row.activations = text_at(result, "activations");
  row.prefill_chunk = count_at(result, "prefill_chunk");
  row.weights = text_at(result, "weights");
  result.at("pin").get_to(row.pin);
  row.speed = read_speed(result);
  return row;
}

SavedJson parse_file(const std::string& path, const std::string& shown) {
  const MappedFile file(path);
  return parse_saved({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, shown,
                     kRunForm);
}

}  // namespace

SavedRun read_saved_run(const std::string& path) {
  SavedRun run;
  run.path = printable(path, kMaxPrintedPath);
  const SavedJson json = parse_file(path, run.path);
  const auto refuse_result = [&](const std::string& what) {
    throw ModelError(run.path, "result " + std::to_string(run.rows.size() + 1) + " " + what, kSaveARun);
  };
  try {
    const SavedJson& machine = json.at("machine");
    run.cpu = text_at(machine, "cpu");
    run.n_cores = count_at(machine, "cores");
    if (json.contains("program")) run.program = text_at(json, "program");
    if (json.contains("commit")) run.program += " (" + text_at(json, "commit").substr(0, 12) + ")";
    for (const SavedJson& result : json.at("results")) run.rows.push_back(read_row(result));
  } catch (const SavedJson::exception&) {
    refuse_result("lacks a field or has one of another type");
  } catch (const Refusal& refusal) {
    refuse_result(refusal.what);
  }
  return run;
}

std::string name_of(const SavedRow& row) {
  return fmt::format("{} {}, threads {}, {}{}", row.model, row.backend, row.n_threads, row.test,
                     row.test.starts_with("tg") ? ", " + row.head + " head" : "");
}

bool is_same_test(const SavedRow& saved, const BenchRow& row) {
  // Prefill has next to nothing to do with the head.
  const bool head_counts = row.test.kind == BenchmarkTest::Kind::decode;
  return saved.model == row.model && saved.backend == row.backend && saved.n_threads == row.n_threads &&
         saved.test == name_of(row.test) && (!head_counts || saved.head == name_of(row.head.kind));
}

std::string difference(const SavedRun& run, const SavedRow& saved, const BenchReport& report,
                       const BenchRow& row) {
  if (run.cpu != report.cpu) return fmt::format("another processor, {}", run.cpu);
  if (run.n_cores != report.n_cores) return fmt::format("{} cores, now {}", run.n_cores, report.n_cores);
  // Known once the model is loaded.
  if (row.model_bytes != 0 && saved.model_bytes != row.model_bytes) {
    return fmt::format("a model of {} bytes, now {}", saved.model_bytes, row.model_bytes);
  }
  if (saved.kv_type != name_of(row.kv_type))
    return fmt::format("--kv-type {}, now {}", saved.kv_type, name_of(row.kv_type));
  if (!saved.activations.empty() && row.activations != ActivationType::automatic &&
      saved.activations != name_of(row.activations)) {
    return fmt::format("--activations {}, now {}", saved.activations, name_of(row.activations));
  }
  if (saved.prefill_chunk != row.prefill_chunk) {
    return fmt::format("--prefill-chunk {}, now {}", saved.prefill_chunk, row.prefill_chunk);
  }
  if (saved.weights != name_of(row.weights)) {
    return fmt::format("--weights {}, now {}", saved.weights, name_of(row.weights));
  }
  if (saved.pin != row.pin) return saved.pin ? "--pin, now without" : "no --pin, now with it";
  return "";
}

}  // namespace bitnet::cli
