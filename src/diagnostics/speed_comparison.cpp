#include "diagnostics/speed_comparison.h"

#include <algorithm>
#include <cassert>

#include "diagnostics/benchmark.h"
#include "diagnostics/rank_test.h"

namespace bitnet {
namespace {

// Chance that samples of equal speeds are taken for slower, or those of slower ones for equal.
constexpr double kMostChance = 0.05;
// Waiting for the processors, part of the time wanted: less than this happens wherever a system runs.
constexpr double kFewWaits = 0.03;
// Of a token's time at most: what is known of reading is not so exact that it could be all.
constexpr double kMostReading = 0.9;

template <typename Get>
double median_of(const SpeedSamples& samples, Get get) {
  std::vector<double> values;
  for (const auto& sample : samples.samples) values.push_back(get(sample));
  return statistics_of(values).median;
}

bool knows_threads(const SpeedSamples& samples) {
  return std::ranges::all_of(samples.samples, [](const auto& s) { return s.threads.has_value(); });
}

// 0 where either doesn't know it.
MachineSpeed usual_machine(const SpeedSamples& saved, const SpeedSamples& now) {
  const auto usual = [&](double MachineSpeed::*speed) {
    std::vector<double> speeds;
    for (const SpeedSamples* samples : {&saved, &now}) {
      for (const auto& sample : samples->samples) speeds.push_back(sample.machine.*speed);
    }
    return std::ranges::all_of(speeds, [](double s) { return s > 0; }) ? statistics_of(speeds).median : 0.0;
  };
  return {usual(&MachineSpeed::read_bytes_per_second), usual(&MachineSpeed::int8_macs_per_second)};
}

std::vector<double> scaled(std::vector<double> values, double factor) {
  for (double& value : values) value *= factor;
  return values;
}

SpeedVerdict verdict_of(std::span<const double> saved, std::span<const double> now, double tolerance) {
  const std::vector<double> values(saved.begin(), saved.end());
  const std::vector<double> least = scaled(values, 1 - tolerance);
  if (rank_test(now, least) <= kMostChance) return SpeedVerdict::slower;
  if (rank_test(least, now) > kMostChance) return SpeedVerdict::unclear;
  return rank_test(scaled(values, 1 / (1 - tolerance)), now) <= kMostChance ? SpeedVerdict::faster
                                                                            : SpeedVerdict::same;
}

}  // namespace

bool SpeedSamples::disturbed() const {
  return median_of(*this, [](const Sample& s) {
           return s.threads ? s.threads->waited / (s.threads->ran + s.threads->waited) : 0.0;
         }) > kFewWaits;
}

std::vector<double> on_equal_machine(const SpeedSamples& samples, const MachineSpeed& usual,
                                     bool by_processor_time) {
  const double multiplying = median_of(samples, [](const auto& s) { return s.machine.int8_macs_per_second; });
  std::vector<double> rates;
  for (const SpeedSamples::Sample& sample : samples.samples) {
    double seconds = 1 / sample.tokens_per_second;  // for a token
    if (by_processor_time && sample.threads) {
      seconds = sample.threads->ran / static_cast<double>(samples.n_tokens * samples.n_threads);
    }
    double reading = 0;
    double usual_reading = 0;
    if (sample.machine.read_bytes_per_second > 0 && usual.read_bytes_per_second > 0) {
      reading =
          std::min(samples.bytes_per_token / sample.machine.read_bytes_per_second, kMostReading * seconds);
      usual_reading = reading * sample.machine.read_bytes_per_second / usual.read_bytes_per_second;
    }
    double other = seconds - reading;
    if (multiplying > 0 && usual.int8_macs_per_second > 0) {
      other *= multiplying / usual.int8_macs_per_second;
    }
    rates.push_back(1 / (other + usual_reading));
  }
  return rates;
}

SpeedComparison compare_speed(const SpeedSamples& saved, const SpeedSamples& now, double tolerance) {
  assert(!saved.samples.empty() && !now.samples.empty());
  SpeedComparison comparison;
  const auto by_clock = [](const SpeedSamples::Sample& s) { return s.tokens_per_second; };
  comparison.saved = median_of(saved, by_clock);
  comparison.now = median_of(now, by_clock);
  comparison.by_processor_time =
      (saved.disturbed() || now.disturbed()) && knows_threads(saved) && knows_threads(now);
  const MachineSpeed usual = usual_machine(saved, now);
  const std::vector<double> saved_rates = on_equal_machine(saved, usual, comparison.by_processor_time);
  const std::vector<double> now_rates = on_equal_machine(now, usual, comparison.by_processor_time);
  comparison.ratio = typical_ratio(now_rates, saved_rates);
  comparison.machine = comparison.now / comparison.saved / comparison.ratio;
  comparison.verdict = verdict_of(saved_rates, now_rates, tolerance);
  return comparison;
}

SpeedVerdict likelier(const SpeedComparison& comparison, double tolerance) {
  if (comparison.verdict != SpeedVerdict::unclear) return comparison.verdict;
  return comparison.ratio < 1 - tolerance ? SpeedVerdict::slower : SpeedVerdict::same;
}

}  // namespace bitnet
