#include "cli/bench/bench_profile.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <string>

#include "cli/terminal/log.h"
#include "model/profile.h"

namespace bitnet::cli {
namespace {

// Fills the rates of work that reads `bytes` and multiplies `macs` times for each token.
void set_rates(WorkRate& rate, const BenchReport& report, const BenchRow& row, double bytes, double macs) {
  const double read_limit = row.limit.read_bytes_per_second;
  const double int8_limit = int8_limit_of(report, row);
  const double seconds = std::max(rate.seconds_per_token, 1e-12);
  if (row.test.kind == BenchmarkTest::Kind::decode) {
    if (bytes == 0) return;
    rate.gigabytes_per_second = bytes / seconds / 1e9;
    if (read_limit > 0) rate.bandwidth_percent = bytes / seconds / read_limit * 100;
  } else {
    if (macs == 0) return;
    rate.gigamacs_per_second = macs / seconds / 1e9;
    if (int8_limit > 0) rate.int8_peak_percent = macs / seconds / int8_limit * 100;
  }
}

bool is_layer_product(Work work) {
  return work == Work::qkv || work == Work::attn_output || work == Work::gate_up || work == Work::ffn_down;
}

}  // namespace

std::vector<WorkRate> profile_of(const BenchReport& report, const BenchRow& row) {
  std::vector<WorkRate> rates;
  double total = 0;
  for (const WorkTime& t : row.profile) total += t.seconds;
  const double n_tokens = static_cast<double>(row.test.n_counted() * row.rates.size());
  WorkRate ternary{.work = "all ternary products"};
  double ternary_bytes = 0;
  double ternary_macs = 0;
  for (std::size_t i = 0; i < row.profile.size(); ++i) {
    const auto work = static_cast<Work>(i);
    const double seconds = row.profile[i].seconds;
    WorkRate rate{.work = row.profile[i].work,
                  .seconds_per_token = seconds / n_tokens,
                  .share = seconds / std::max(total, 1e-12)};
    const auto bytes = static_cast<double>(row.work.products[i].weight_bytes);
    const auto macs = static_cast<double>(row.work.products[i].macs);
    if (is_layer_product(work)) {
      ternary.seconds_per_token += rate.seconds_per_token;
      ternary.share += rate.share;
      ternary_bytes += bytes;
      ternary_macs += macs;
    }
    // In prefill the head is computed for one token of many and counts for none.
    const bool counts = work != Work::head || row.test.kind == BenchmarkTest::Kind::decode;
    const double cache_bytes = work == Work::attention ? row.work.kv_bytes_read(row.test) : 0;
    if (counts) set_rates(rate, report, row, bytes + cache_bytes, macs);
    rates.push_back(rate);
  }
  if (rates.empty()) return rates;
  set_rates(ternary, report, row, ternary_bytes, ternary_macs);
  rates.push_back(ternary);
  return rates;
}

void log_profile(const BenchReport& report, const BenchRow& row) {
  const std::string what = name_of(row);
  const auto percent_of = [](const std::optional<double>& percent, const char* limit) {
    return percent ? fmt::format(", {:.0f} % of {}", *percent, limit) : "";
  };
  for (const WorkRate& r : profile_of(report, row)) {
    std::string rate;
    if (r.gigabytes_per_second) {
      rate = fmt::format(" {:7.1f} GB/s{}", *r.gigabytes_per_second, percent_of(r.bandwidth_percent, "read"));
    } else if (r.gigamacs_per_second) {
      rate =
          fmt::format(" {:7.1f} GMAC/s{}", *r.gigamacs_per_second, percent_of(r.int8_peak_percent, "int8"));
    }
    tell(fmt::format("{}: {:<24} {:8.3f} ms/token {:5.1f} %{}", what, r.work, 1e3 * r.seconds_per_token,
                     100 * r.share, rate));
  }
}

}  // namespace bitnet::cli
