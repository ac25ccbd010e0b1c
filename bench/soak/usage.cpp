#include "soak/usage.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stop_token>
#include <string_view>
#include <utility>

namespace bitnet::soak {

namespace {

using Clock = std::chrono::steady_clock;

// What an allocator may keep, and the noise of which threads happen to be at what.
constexpr std::uint64_t kStepOfMemory = std::uint64_t{16} << 20;
// What grows by use and then no more: tables of the C library, buffers that one who is long-lived keeps.
constexpr std::uint64_t kStepOfHeap = std::uint64_t{1} << 20;

void take_most(Usage& most, const Usage& u) {
  most.rss = std::max(most.rss, u.rss);
  most.own = std::max(most.own, u.own);
  most.heap = std::max(most.heap, u.heap);
  most.n_threads = std::max(most.n_threads, u.n_threads);
  most.n_descriptors = std::max(most.n_descriptors, u.n_descriptors);
}

std::string mib(std::uint64_t bytes) {
  const std::uint64_t tenths = (bytes * 10 + (std::uint64_t{1} << 19)) >> 20;
  return std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10) + " MiB";
}

}  // namespace

Usage usage_now(double seconds) {
  Usage usage{.seconds = seconds};
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key;) {
    std::uint64_t value = 0;
    if (key == "VmRSS:" && status >> value) usage.rss = value * 1024;
    if ((key == "RssAnon:" || key == "RssShmem:") && status >> value) usage.own += value * 1024;
    if (key == "Threads:" && status >> value) usage.n_threads = value;
  }
  const struct mallinfo2 heap = ::mallinfo2();
  usage.heap = heap.uordblks + heap.hblkhd;
  // But for the one that is open to count them.
  usage.n_descriptors =
      static_cast<std::uint64_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {})) - 1;
  return usage;
}

struct Watch::Impl {
  Clock::time_point start = Clock::now();
  mutable std::mutex mutex;
  std::condition_variable_any stopped;
  std::vector<Usage> seen;
  std::jthread thread;  // goes first
};

Watch::Watch(std::function<void(const Usage&)> on_line, double seconds_between_lines)
    : impl_(std::make_unique<Impl>()) {
  impl_->thread =
      std::jthread([this, on_line = std::move(on_line), seconds_between_lines](const std::stop_token& stop) {
        double next_line = seconds_between_lines;
        while (!stop.stop_requested()) {
          const Usage usage = usage_now(seconds());
          if (usage.seconds >= next_line) {
            on_line(usage);
            next_line += seconds_between_lines;
          }
          std::unique_lock lock(impl_->mutex);
          impl_->seen.push_back(usage);
          impl_->stopped.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
        }
      });
}

Watch::~Watch() = default;

double Watch::seconds() const { return std::chrono::duration<double>(Clock::now() - impl_->start).count(); }

std::vector<Usage> Watch::seen() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->seen;
}

Tenths tenths_of(const std::vector<Usage>& seen) {
  Tenths tenths;
  if (seen.empty()) return tenths;
  const double begin = seen.front().seconds;
  const double tenth = (seen.back().seconds - begin) / 10;
  for (const Usage& u : seen) {
    if (u.seconds <= begin + tenth) take_most(tenths.first, u);
    if (u.seconds >= seen.back().seconds - tenth) take_most(tenths.last, u);
  }
  return tenths;
}

std::vector<std::string> growth(const Tenths& at_work, const Tenths& at_rest) {
  std::vector<std::string> grown;
  const auto check = [&](std::string_view what, std::uint64_t first, std::uint64_t last, std::uint64_t step,
                         auto&& shown) {
    if (last > first + step) {
      grown.push_back(std::string(what) + " grew from " + shown(first) + " to " + shown(last));
    }
  };
  const auto plain = [](std::uint64_t n) { return std::to_string(n); };
  const std::uint64_t own = at_work.first.own;
  check("memory of its own", own, at_work.last.own, std::max(own / 20, kStepOfMemory), mib);
  check("what is allocated at rest", at_rest.first.heap, at_rest.last.heap, kStepOfHeap, mib);
  check("threads at rest", at_rest.first.n_threads, at_rest.last.n_threads, 0, plain);
  check("open descriptors at rest", at_rest.first.n_descriptors, at_rest.last.n_descriptors, 0, plain);
  return grown;
}

}  // namespace bitnet::soak
