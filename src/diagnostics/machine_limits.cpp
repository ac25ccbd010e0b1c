#include "diagnostics/machine_limits.h"

#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fstream>

#include "base/buffer.h"
#include "base/function_ref.h"
#include "base/seconds_since.h"
#include "kernels/kernels.h"

namespace bitnet {
namespace {

constexpr std::size_t kArrayBytes = std::size_t{512} << 20;
// Pieces that each thread gets on average: a thread that the system runs late leaves some to the others.
constexpr std::size_t kPieces = 8;

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
  const std::size_t piece = array.size() / pool.n_threads() / kPieces / 4096 * 4096;
  const std::size_t n_pieces = pool.n_threads() * kPieces;
  pool.parallel_for(n_pieces, 1, [&](std::size_t begin, std::size_t end) {
    read(array.data() + begin * piece, (end - begin) * piece);
  });
  return piece * n_pieces;
}

double best_read_bandwidth(std::span<const std::byte> array, ThreadPool& pool) {
  std::size_t n_bytes = 0;
  const double seconds = best_seconds([&] { n_bytes = read_through(array, pool); });
  return static_cast<double>(n_bytes) / seconds;
}

double int8_peak_with(const kernels::Kernels& backend, ThreadPool& pool) {
  const auto products = backend.int8_products;
  if (products == nullptr) return 0;
  constexpr std::size_t kRounds = 500'000;  // some milliseconds
  const std::size_t n_pieces = pool.n_threads() * kPieces;
  const double seconds = best_seconds([&] {
    pool.parallel_for(n_pieces, 1,
                      [&](std::size_t begin, std::size_t end) { products((end - begin) * kRounds); });
  });
  return products(1) * static_cast<double>(kRounds * n_pieces) / seconds;
}

}  // namespace

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  utsname system{};
  return uname(&system) == 0 ? system.machine : "unknown";
}

double ReadProbe::sample() {
  const auto start = std::chrono::steady_clock::now();
  const auto n_bytes = static_cast<double>(read_through(array_, pool_));
  return n_bytes / seconds_since(start);
}

double read_bandwidth(std::span<const std::byte> array, unsigned n_threads) {
  ThreadPool pool(n_threads);
  return best_read_bandwidth(array, pool);
}

double int8_peak(std::string_view backend, unsigned n_threads) {
  ThreadPool pool(n_threads);
  return int8_peak_with(kernels::find(backend), pool);
}

MachineLimits measure_machine_limits(std::string_view backend, unsigned n_threads) {
  ThreadPool pool(n_threads);
  const AnonymousMemory memory(kArrayBytes, "measuring the memory's speed");
  memory.prefer_huge_pages();
  auto* const data = static_cast<std::byte*>(memory.data());
  // Pages never written are all one and the same page of zeros.
  pool.parallel_for(kArrayBytes, std::size_t{1} << 20,
                    [&](std::size_t begin, std::size_t end) { std::memset(data + begin, 1, end - begin); });
  MachineLimits limits;
  limits.backend = kernels::find(backend).name;
  limits.n_threads = n_threads;
  limits.read_bytes_per_second = best_read_bandwidth({data, kArrayBytes}, pool);
  limits.int8_macs_per_second = int8_peak_with(kernels::find(backend), pool);
  return limits;
}

}  // namespace bitnet
