// soak: the library at mixed work for a long time; `soak --help` says more.
#include <signal.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "bitnet/error.h"
#include "soak/soak.h"
#include "soak/usage.h"
#include "support/temp_directory.h"

namespace bitnet::soak {

namespace {

constexpr std::size_t kUnitsOfRound = 40;
// Of fewer rounds the first tenth is that in which all is used for the first time.
constexpr std::size_t kFewestRounds = 100;

struct Options {
  std::vector<std::string> models;
  double minutes = 0;
  std::uint64_t units = 0;
  unsigned workers = 4;
  double cores = 0;  // 0: as many as there are
  std::uint64_t seed = 1;
};

// Interrupts wait to be asked for, so that nothing is left behind.
class Interrupts {
 public:
  Interrupts() {
    ::sigemptyset(&signals_);
    ::sigaddset(&signals_, SIGINT);
    ::sigaddset(&signals_, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  // Whether there was one, or comes within that time.
  bool comes_within(double seconds) const {
    const auto whole = static_cast<time_t>(seconds);
    const timespec time{.tv_sec = whole,
                        .tv_nsec = static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
    return ::sigtimedwait(&signals_, nullptr, &time) > 0;
  }

 private:
  sigset_t signals_{};
};

double processor_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void print_line(const Soak& soak, const Usage& u) {
  std::fprintf(stderr,
               "%6.0f s  %llu comparisons, %llu failed; %.1f MiB in memory, %.1f of its own; %llu threads, "
               "%llu descriptors\n",
               u.seconds, static_cast<unsigned long long>(soak.ledger().n_compared()),
               static_cast<unsigned long long>(soak.ledger().n_failed()), mib(u.rss), mib(u.own),
               static_cast<unsigned long long>(u.n_threads),
               static_cast<unsigned long long>(u.n_descriptors));
}

void print_summary(const Soak& soak, double seconds, const Tenths& at_work, const Tenths& at_rest) {
  std::printf("%.0f s, %llu units, %llu comparisons with fresh runs, %llu failed\n", seconds,
              static_cast<unsigned long long>(soak.n_units()),
              static_cast<unsigned long long>(soak.ledger().n_compared()),
              static_cast<unsigned long long>(soak.ledger().n_failed()));
  for (const auto& [way, n] : soak.by_way()) {
    std::printf("  %-28s %llu\n", std::string(way).c_str(), static_cast<unsigned long long>(n));
  }
  std::printf("%-34s %12s %12s\n", "the most in a tenth of the time", "the first", "the last");
  const auto row = [](const char* what, double first, double last, const char* unit) {
    std::printf("  %-32s %12.1f %12.1f %s\n", what, first, last, unit);
  };
  const auto count = [](const char* what, std::uint64_t first, std::uint64_t last) {
    std::printf("  %-32s %12llu %12llu\n", what, static_cast<unsigned long long>(first),
                static_cast<unsigned long long>(last));
  };
  row("in memory, at work", mib(at_work.first.rss), mib(at_work.last.rss), "MiB");
  row("of its own, at work", mib(at_work.first.own), mib(at_work.last.own), "MiB");
  row("of its own, at rest", mib(at_rest.first.own), mib(at_rest.last.own), "MiB");
  row("allocated, at rest", mib(at_rest.first.heap), mib(at_rest.last.heap), "MiB");
  count("threads, at work", at_work.first.n_threads, at_work.last.n_threads);
  count("threads, at rest", at_rest.first.n_threads, at_rest.last.n_threads);
  count("descriptors, at work", at_work.first.n_descriptors, at_work.last.n_descriptors);
  count("descriptors, at rest", at_rest.first.n_descriptors, at_rest.last.n_descriptors);
}

int run(const Options& options) {
  const Interrupts interrupts;
  const test::TempDirectory directory;
  Soak soak(options.models, directory.path(), options.seed);
  std::vector<Usage> at_rest;
  bool is_interrupted = false;
  double seconds = 0;
  Tenths at_work;
  {
    const Watch watch([&](const Usage& u) { print_line(soak, u); });
    const double processor_before = processor_seconds();
    const auto is_done = [&] {
      return options.units > 0 ? soak.n_units() >= options.units : watch.seconds() >= options.minutes * 60;
    };
    // As many at once as there may be, fewer, one, and more again.
    for (unsigned wave = 0; !is_done() && !is_interrupted; ++wave) {
      const unsigned n_workers = 1 + std::max(wave % (2 * options.workers), options.workers) -
                                 std::min(wave % (2 * options.workers), options.workers);
      std::size_t n = kUnitsOfRound;
      if (options.units > 0) n = std::min<std::size_t>(n, options.units - soak.n_units());
      soak.round(n, std::min(n_workers, options.workers));
      at_rest.push_back(usage_now(watch.seconds()));
      double rest = 0;
      if (options.cores > 0) {
        rest = (processor_seconds() - processor_before) / options.cores - watch.seconds();
      }
      is_interrupted = interrupts.comes_within(std::max(rest, 0.0));
    }
    seconds = watch.seconds();
    at_work = tenths_of(watch.seen());
  }
  const Tenths resting = tenths_of(at_rest);
  print_summary(soak, seconds, at_work, resting);
  std::vector<std::string> faults = soak.ledger().failures();
  if (at_rest.size() >= kFewestRounds) {
    std::ranges::copy(growth(at_work, resting), std::back_inserter(faults));
  } else {
    std::printf("too short to tell whether anything grows: that takes %zu units\n",
                kFewestRounds * kUnitsOfRound);
  }
  for (const std::string& fault : faults) std::cerr << "soak: " << fault << '\n';
  if (is_interrupted) return 130;
  return faults.empty() ? 0 : 1;
}

}  // namespace

}  // namespace bitnet::soak

int main(int argc, char** argv) try {
  bitnet::soak::Options options;
  CLI::App app(
      "Puts the library to mixed work in one process, for a time or so many units: sessions, schedulers,\n"
      "conversations, prompt caches, tokenizers and models made, used from several threads over shared\n"
      "models, cancelled, refused and destroyed. Holds each result against that of a fresh run, bit for "
      "bit,\n"
      "and tells at the end whether memory, threads or descriptors grew. A line every half minute goes to\n"
      "stderr.\n\n"
      "Exit codes: 0 all holds; 1 something does not, or failed; 2 wrong usage; 130 interrupted.",
      "soak");
  app.add_option("MODEL", options.models, "GGUF files, used in turn")->required()->check(CLI::ExistingFile);
  auto* minutes = app.add_option("--minutes", options.minutes, "how long")->check(CLI::Range(0.01, 1e6));
  auto* units = app.add_option("--units", options.units, "how much, in place of how long")
                    ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 60));
  minutes->excludes(units);
  app.add_option("--workers", options.workers, "threads that work at once, at most")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--cores", options.cores, "rest so much that so many are busy, as a mean; none: no rest")
      ->check(CLI::Range(0.01, 1024.0));
  app.add_option("--seed", options.seed, "of what is done")->capture_default_str();
  try {
    app.parse(argc, argv);
    if (minutes->empty() && units->empty()) throw CLI::ValidationError("give --minutes or --units");
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return bitnet::soak::run(options);
} catch (const std::exception& e) {
  std::cerr << "soak: " << e.what() << '\n';
  return 1;
}
