#include "cli/bench/bench_table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "bitnet/version.h"
#include "cli/options/model_options.h"
#include "cli/terminal/memory_use.h"

namespace bitnet::cli {
namespace {

constexpr double kWideSpread = 10;  // per cent of the mean: from here on it is worth a word

using Cells = std::array<std::string, 5>;
const Cells kHeader{"threads", "test", "head", "tok/s", "beside the limit"};
constexpr std::array kIsLeft{false, true, true, false, false};

// Characters, not bytes: the sign between mean and deviation isn't ASCII.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

double percent_of_limit(const BenchReport& report, const BenchRow& row) {
  const SpeedRates rates = rates_of(report, row, statistics_of(row.rates).mean);
  return std::max(rates.bandwidth_percent, rates.int8_peak_percent);
}

double spread_percent(const BenchRow& row) {
  const Statistics s = statistics_of(row.rates);
  return s.deviation / s.mean * 100;
}

// "61.2 GB/s, 92 % of read"
std::string beside_limit(const BenchReport& report, const BenchRow& row) {
  const SpeedRates rates = rates_of(report, row, statistics_of(row.rates).mean);
  const bool is_decode = rates.gigabytes >= 0;
  const double percent = percent_of_limit(report, row);
  return (is_decode ? fmt::format("{:.1f} GB/s", rates.gigabytes)
                    : fmt::format("{:.0f} GMAC/s", rates.gigamacs)) +
         (percent < 0 ? "" : fmt::format(", {:.0f} % of {}", percent, is_decode ? "read" : "int8"));
}

Cells cells_of(const BenchReport& report, const BenchRow& row) {
  const Statistics s = statistics_of(row.rates);
  const bool is_decode = row.test.kind == BenchmarkTest::Kind::decode;
  const int n_digits = s.mean >= 1000 ? 0 : s.mean >= 100 ? 1 : 2;
  return {std::to_string(row.n_threads), name_of(row.test),
          is_decode ? std::string(name_of(row.head.kind)) : "",  // a prompt's last token alone comes to it
          fmt::format("{:.{}f} ± {:.{}f}", s.mean, n_digits, s.deviation, n_digits),
          beside_limit(report, row)};
}

std::string format_rows(const BenchReport& report, std::span<const BenchRow> rows) {
  std::vector<Cells> lines{kHeader};
  for (const BenchRow& row : rows) lines.push_back(cells_of(report, row));
  std::array<std::size_t, kHeader.size()> widths{};
  for (const Cells& cells : lines) {
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], width_of(cells[i]));
  }
  std::string text;
  for (const Cells& cells : lines) {
    text += "|";
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string space(widths[i] - width_of(cells[i]), ' ');
      text += " " + (kIsLeft[i] ? cells[i] + space : space + cells[i]) + " |";
    }
    text += "\n";
    if (&cells != &lines[0]) continue;
    text += "|";
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += (kIsLeft[i] ? ":" : "-") + std::string(widths[i], '-') + (kIsLeft[i] ? "-|" : ":|");
    }
    text += "\n";
  }
  return text;
}

// The model and what it took, above its table.
std::string format_model(std::span<const BenchRow> rows) {
  std::uint64_t peak = 0;
  double load = 0;
  for (const BenchRow& row : rows) {
    peak = std::max(peak, row.peak_bytes);
    load = std::max(load, row.load_seconds);
  }
  std::string text = fmt::format("{}, {}: {:.1f} MiB, loaded in {:.3f} s", rows[0].model, rows[0].backend,
                                 to_mib(rows[0].model_bytes), load);
  if (peak != 0) text += fmt::format(", peak memory {:.1f} MiB", to_mib(peak));
  return text;
}

std::string format_notes(const BenchReport& report) {
  std::string notes;
  const auto is_over = [&](const BenchRow& row) { return percent_of_limit(report, row) > 100.5; };
  if (std::ranges::any_of(report.rows, is_over)) {
    notes +=
        "\nOver 100 %: the limit is the best of short loops run between the repetitions,\n"
        "and the machine gave more during the test than in any of them.\n";
  }
  if (std::ranges::any_of(report.rows,
                          [](const BenchRow& row) { return spread_percent(row) > kWideSpread; })) {
    notes += fmt::format(
        "\n± of more than {:.0f} %: something else kept the machine busy, or the test is too\n"
        "short for it. Larger -n, -p or -r, or a machine with less to do, tell more.\n",
        kWideSpread);
  }
  return notes;
}

// Lines are broken at spaces where they would be longer than a terminal is wide.
std::string wrapped(std::string_view text) {
  constexpr std::size_t kWidth = 80;
  std::string lines;
  while (width_of(text) > kWidth) {
    const std::size_t space = text.substr(0, kWidth + 1).rfind(' ');
    if (space == std::string_view::npos || space == 0) break;
    lines += std::string(text.substr(0, space)) + "\n";
    text.remove_prefix(space + 1);
  }
  return lines + std::string(text) + "\n";
}

}  // namespace

std::string format_table(const BenchReport& report) {
  const std::string built_from(commit().substr(0, 12));
  std::string text = wrapped(fmt::format("bitnet {} ({}) on {}, {} {}", version(), built_from, report.cpu,
                                         report.n_cores, report.n_cores == 1 ? "core" : "cores"));
  std::span<const BenchRow> left = report.rows;
  while (!left.empty()) {
    std::size_t n = 1;
    while (n < left.size() && left[n].model == left[0].model && left[n].backend == left[0].backend) ++n;
    text += "\n" + wrapped(format_model(left.first(n))) + "\n" + format_rows(report, left.first(n));
    left = left.subspan(n);
  }
  return text + format_notes(report);
}

}  // namespace bitnet::cli
