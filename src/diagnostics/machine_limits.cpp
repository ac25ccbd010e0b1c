#include "diagnostics/machine_limits.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/cpu_count.h"
#include "base/function_ref.h"
#include "base/seconds_since.h"
#include "kernels/kernels.h"

namespace bitnet {
namespace {

// Of one short loop, less than a millisecond for each thread: short enough that some are not interrupted.
constexpr std::size_t kShortBytes = std::size_t{8} << 20;
constexpr std::size_t kShortRounds = 10'000;
constexpr int kShortLoops = 8;
// Less than this and passing the work to the threads is what is measured.
constexpr std::size_t kLeastBytes = std::size_t{1} << 20;
// Pieces that each thread gets on average: a thread that the system runs late leaves some to the others.
constexpr std::size_t kPieces = 8;

constexpr std::size_t kLeastPiece = 4096;
// That ReadPace reads at once: as much as a model's larger matrices have, which are read with a wait for all
// threads after each.
constexpr std::size_t kPaceBytes = std::size_t{16} << 20;

// Shortest of several runs: limits are what the machine can do, not what it did on average.
double best_seconds(FunctionRef<void()> work) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, seconds_since(start));
  }
  return best;
}

// Reads the array once and returns how many bytes that were.
std::size_t read_through(std::span<const std::byte> array, ThreadPool& pool) {
  const auto read = kernels::find("auto").read_all;
  const std::size_t piece = std::max(array.size() / pool.n_threads() / kPieces / 4096 * 4096, kLeastPiece);
  const std::size_t n_pieces = array.size() / piece;
  pool.parallel_for(n_pieces, 1, [&](std::size_t begin, std::size_t end) {
    read(array.data() + begin * piece, (end - begin) * piece);
  });
  return piece * n_pieces;
}

// Multiplies `rounds` times in each of kPieces pieces for every one of n_threads; returns the multiply-adds.
double multiply(const kernels::Kernels& backend, std::size_t rounds, unsigned n_threads, ThreadPool& pool) {
  const auto products = backend.int8_products;
  const std::size_t n_pieces = n_threads * kPieces;
  pool.parallel_for(n_pieces, 1,
                    [&](std::size_t begin, std::size_t end) { products((end - begin) * rounds); });
  return products(1) * static_cast<double>(rounds * n_pieces);
}

// Of as many that can run at once.
unsigned n_running(unsigned n_threads) {
  return std::min(n_threads, std::max(static_cast<unsigned>(usable_cpus().size()), 1U));
}

}  // namespace

ReadArray::ReadArray(std::uint64_t wanted_bytes, ThreadPool& pool)
    : memory_(std::clamp<std::uint64_t>(wanted_bytes, kLeastBytes, kMaxBytes),
              "measuring the memory's speed") {
  memory_.prefer_huge_pages();
  auto* const data = static_cast<std::byte*>(memory_.data());
  pool.parallel_for(memory_.size(), std::size_t{1} << 20,
                    [&](std::size_t begin, std::size_t end) { std::memset(data + begin, 1, end - begin); });
}

MachineProbe::MachineProbe(const ReadArray& array, std::string_view backend, unsigned n_threads)
    : array_(array.bytes()),
      backend_(kernels::find(backend)),
      pool_(n_threads),
      n_running_(n_running(n_threads)) {}

// loop() returns the work that it did.
template <typename Loop>
MachineProbe::Loops MachineProbe::run(Loop loop) const {
  Loops loops;
  double work = 0;
  const double start = pool_.processor_seconds();
  for (int i = 0; i < kShortLoops; ++i) {
    const double processor_start = pool_.processor_seconds();
    const auto clock_start = std::chrono::steady_clock::now();
    const double amount = loop();
    const double seconds = seconds_since(clock_start);
    const double running = (pool_.processor_seconds() - processor_start) / n_running_;
    work += amount;
    loops.best_by_clock = std::max(loops.best_by_clock, amount / seconds);
    loops.best = std::max(loops.best, amount / (running > 0 ? std::min(running, seconds) : seconds));
  }
  const double running = (pool_.processor_seconds() - start) / n_running_;
  loops.typical = running > 0 ? work / running : loops.best;
  return loops;
}

double MachineProbe::read_some() {
  const std::size_t wanted = n_running_ * kShortBytes;
  const std::size_t stretch = std::min(array_.size(), wanted);
  if (next_ + stretch > array_.size()) next_ = 0;
  const auto some = array_.subspan(next_, stretch);
  next_ += stretch;
  std::size_t n_bytes = 0;
  while (n_bytes < wanted) n_bytes += read_through(some, pool_);
  return static_cast<double>(n_bytes);
}

MachineSpeed MachineProbe::sample() {
  const Loops reading = run([&] { return read_some(); });
  Loops multiplying;
  if (backend_.int8_products != nullptr) {
    multiplying = run([&] { return multiply(backend_, kShortRounds, n_running_, pool_); });
  }
  // Threads share the memory and not their processors' arithmetic: a loop that one of them did nearly alone,
  // while the other came late, would count as if both had read at the speed of one that has all of it.
  best_.read_bytes_per_second = std::max(best_.read_bytes_per_second, reading.best_by_clock);
  best_.int8_macs_per_second = std::max(best_.int8_macs_per_second, multiplying.best);
  return {reading.typical, multiplying.best};
}

ReadPace::ReadPace(std::span<const std::byte> memory, ThreadPool& pool)
    : memory_(memory), pool_(pool), n_running_(n_running(pool.n_threads())) {}

void ReadPace::read_for(double processor_seconds) {
  if (memory_.size() < kLeastPiece) return;
  const double start = pool_.processor_seconds();
  if (start <= 0) return;
  const std::size_t stretch = std::min(memory_.size(), kPaceBytes);
  double running = 0;
  while (running < processor_seconds) {
    if (next_ + stretch > memory_.size()) next_ = 0;
    n_bytes_ += static_cast<double>(read_through(memory_.subspan(next_, stretch), pool_));
    next_ += stretch;
    running = pool_.processor_seconds() - start;
  }
  running_ += running;
}

double ReadPace::take() {
  const double seconds = std::exchange(running_, 0) / n_running_;
  const double n_bytes = std::exchange(n_bytes_, 0);
  return seconds > 0 ? n_bytes / seconds : 0;
}

double read_bandwidth(std::span<const std::byte> array, unsigned n_threads) {
  ThreadPool pool(n_threads);
  std::size_t n_bytes = 0;
  const double seconds = best_seconds([&] { n_bytes = read_through(array, pool); });
  return static_cast<double>(n_bytes) / seconds;
}

double int8_peak(std::string_view backend, unsigned n_threads) {
  const kernels::Kernels& table = kernels::find(backend);
  if (table.int8_products == nullptr) return 0;
  ThreadPool pool(n_threads);
  constexpr std::size_t kRounds = 500'000;  // some milliseconds
  double macs = 0;
  const double seconds = best_seconds([&] { macs = multiply(table, kRounds, n_threads, pool); });
  return macs / seconds;
}

MachineLimits measure_machine_limits(std::string_view backend, unsigned n_threads) {
  MachineLimits limits;
  limits.backend = kernels::find(backend).name;
  limits.n_threads = n_threads;
  ThreadPool pool(n_threads);
  const ReadArray array(ReadArray::kMaxBytes, pool);
  MachineProbe probe(array, backend, n_threads);
  for (int i = 0; i < 5; ++i) probe.sample();
  limits.read_bytes_per_second = probe.best().read_bytes_per_second;
  limits.int8_macs_per_second = probe.best().int8_macs_per_second;
  return limits;
}

}  // namespace bitnet
