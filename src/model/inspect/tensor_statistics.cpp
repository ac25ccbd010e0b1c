#include "model/inspect/tensor_statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <numeric>
#include <vector>

namespace bitnet {
namespace {

constexpr std::size_t kBlockElements = std::size_t{1} << 18;  // that a thread takes at a time
constexpr std::size_t kStepBlocks = 64;                       // between two questions whether to go on

std::size_t rows_in_block(std::size_t cols) { return std::max<std::size_t>(1, kBlockElements / cols); }

// Calls count(begin, end) for every `block` rows, on the pool's threads. Returns how many rows were done.
template <typename Count>
std::size_t for_blocks(std::size_t rows, std::size_t block, ThreadPool& pool, const RowsHook& keep_going,
                       Count count) {
  const std::size_t n_blocks = (rows - 1) / block + 1;
  for (std::size_t done = 0; done < n_blocks; done += kStepBlocks) {
    if (done > 0 && keep_going && !keep_going(done * block)) return done * block;
    pool.parallel_for(std::min(kStepBlocks, n_blocks - done), 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = done + begin; i < done + end; ++i) {
        count(i * block, std::min((i + 1) * block, rows));
      }
    });
  }
  return rows;
}

void count_totals(std::span<const std::byte> codes, CodeCounts& counts) {
  constexpr std::uint64_t kLow = 0x5555555555555555U;
  std::uint64_t high_only = 0;
  std::uint64_t low_only = 0;
  std::uint64_t both = 0;
  std::size_t at = 0;
  const auto add = [&](std::uint64_t word) {
    const std::uint64_t high = (word >> 1) & kLow;
    const std::uint64_t low = word & kLow;
    high_only += static_cast<std::uint64_t>(std::popcount(high & ~low));
    low_only += static_cast<std::uint64_t>(std::popcount(low & ~high));
    both += static_cast<std::uint64_t>(std::popcount(high & low));
  };
  for (; at + 8 <= codes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, codes.data() + at, sizeof word);
    add(word);
  }
  for (; at < codes.size(); ++at) add(static_cast<std::uint64_t>(codes[at]));
  counts.plus += high_only;
  counts.zero += low_only;
  counts.invalid += both;
  counts.minus += codes.size() * 4 - high_only - low_only - both;
}

}  // namespace

CodeCounts count_codes(std::span<const std::byte> codes, std::size_t rows, ThreadPool& pool,
                       PlaceCounts& places, const RowsHook& keep_going) {
  CodeCounts all;
  std::mutex mutex;
  const std::size_t cols = places.cols();
  // Four rows have a beginning of their own in every layout.
  const std::size_t block = (rows_in_block(cols) + 3) / 4 * 4;
  for_blocks(rows, block, pool, keep_going, [&](std::size_t begin, std::size_t end) {
    CodeCounts part;
    PlaceCounts part_places(cols);
    const auto stretch = codes.subspan(begin * cols / 4, (end - begin) * cols / 4);
    count_totals(stretch, part);
    part_places.add(stretch);
    const std::lock_guard lock(mutex);
    all.minus += part.minus;
    all.zero += part.zero;
    all.plus += part.plus;
    all.invalid += part.invalid;
    places.add(part_places);
  });
  return all;
}

ValueRange range_of(const quant::Matrix& w, ThreadPool& pool, const RowsHook& keep_going) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ValueRange all{.min = kInfinity, .max = -kInfinity};
  // One sum for each block, added up in order: the same bits whichever thread comes first.
  std::vector<double> squares(w.rows / rows_in_block(w.cols) + 1);
  std::mutex mutex;
  const quant::TypeInfo& type = quant::info(w.type);
  const std::size_t done =
      for_blocks(w.rows, rows_in_block(w.cols), pool, keep_going, [&](std::size_t begin, std::size_t end) {
        ValueRange part{.min = kInfinity, .max = -kInfinity};
        double part_squares = 0;
        std::vector<float> row(w.cols);
        for (std::size_t r = begin; r < end; ++r) {
          type.decode_row(w, r, row.data());
          for (const float v : row) {
            if (!std::isfinite(v)) {
              ++part.n_not_finite;
              continue;
            }
            part.min = std::min(part.min, v);
            part.max = std::max(part.max, v);
            part.n_zero += static_cast<std::uint64_t>(v == 0.0F);
            part_squares += static_cast<double>(v) * static_cast<double>(v);
          }
        }
        const std::lock_guard lock(mutex);
        all.min = std::min(all.min, part.min);
        all.max = std::max(all.max, part.max);
        all.n_zero += part.n_zero;
        all.n_not_finite += part.n_not_finite;
        squares[begin / rows_in_block(w.cols)] = part_squares;
      });
  const std::uint64_t n_finite = static_cast<std::uint64_t>(done) * w.cols - all.n_not_finite;
  if (n_finite == 0) return {.n_not_finite = all.n_not_finite};
  all.min += 0.0F;  // of -0 and 0, which are equal, always the latter
  all.max += 0.0F;
  all.rms = std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0) / static_cast<double>(n_finite));
  return all;
}

}  // namespace bitnet
