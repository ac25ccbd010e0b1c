#include "engine/machine_limits.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fstream>

#include "base/buffer.h"
#include "base/function_ref.h"
#include "base/thread_pool.h"
#include "kernels/cpu_features.h"
#if defined(__x86_64__)
#include "kernels/avx2/limits.h"
#include "kernels/avx512/limits.h"
#endif

namespace bitnet {
namespace {

constexpr std::size_t kArrayBytes = std::size_t{512} << 20;
// Pieces that each thread gets on average: a thread that the system runs late leaves some to the others.
constexpr std::size_t kPieces = 8;

void read_all_portably(const std::byte* data, std::size_t n) {
  std::array<std::uint64_t, 8> sum{};
  for (std::size_t at = 0; at + sizeof sum <= n; at += sizeof sum) {
    std::array<std::uint64_t, 8> words;
    std::memcpy(words.data(), data + at, sizeof words);
    for (std::size_t i = 0; i < words.size(); ++i) sum[i] ^= words[i];
  }
  static std::atomic<std::uint64_t> sink;  // so that the loop has a result
  for (const std::uint64_t word : sum) sink.fetch_xor(word, std::memory_order_relaxed);
}

using Read = void (*)(const std::byte* data, std::size_t n);
Read fastest_read() {
#if defined(__x86_64__)
  if (kernels::cpu_features().avx512) return kernels::avx512::read_all;
  if (kernels::cpu_features().avx2) return kernels::avx2::read_all;
#endif
  return read_all_portably;
}

using Int8Products = double (*)(std::size_t rounds);
Int8Products fastest_int8_products() {  // nullptr: none of the instruction sets here is this CPU's
#if defined(__x86_64__)
  if (kernels::cpu_features().avx512) return kernels::avx512::int8_products;
  if (kernels::cpu_features().avx2) return kernels::avx2::int8_products;
#endif
  return nullptr;
}

// Shortest of several runs: limits are what the machine can do, not what it did on average.
double best_seconds(FunctionRef<void()> work) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

double read_bandwidth_with(std::span<const std::byte> array, ThreadPool& pool) {
  const Read read = fastest_read();
  const std::size_t piece = array.size() / pool.n_threads() / kPieces / 4096 * 4096;
  const std::size_t n_pieces = pool.n_threads() * kPieces;
  const double seconds = best_seconds([&] {
    pool.parallel_for(n_pieces, 1, [&](std::size_t begin, std::size_t end) {
      read(array.data() + begin * piece, (end - begin) * piece);
    });
  });
  return static_cast<double>(piece * n_pieces) / seconds;
}

double int8_peak_with(ThreadPool& pool) {
  const Int8Products products = fastest_int8_products();
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

double read_bandwidth(std::span<const std::byte> array, unsigned n_threads) {
  ThreadPool pool(n_threads);
  return read_bandwidth_with(array, pool);
}

double int8_peak(unsigned n_threads) {
  ThreadPool pool(n_threads);
  return int8_peak_with(pool);
}

MachineLimits measure_machine_limits(unsigned n_threads) {
  ThreadPool pool(n_threads);
  const AnonymousMemory memory(kArrayBytes, "measuring the memory's speed");
  memory.prefer_huge_pages();
  auto* const data = static_cast<std::byte*>(memory.data());
  // Pages never written are all one and the same page of zeros.
  pool.parallel_for(kArrayBytes, std::size_t{1} << 20,
                    [&](std::size_t begin, std::size_t end) { std::memset(data + begin, 1, end - begin); });
  MachineLimits limits;
  limits.n_threads = n_threads;
  limits.read_bytes_per_second = read_bandwidth_with({data, kArrayBytes}, pool);
  limits.int8_macs_per_second = int8_peak_with(pool);
  return limits;
}

}  // namespace bitnet
