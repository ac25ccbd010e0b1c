// What a tensor's values look like, whatever they are: made to be run on files that nobody trusts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/thread_pool.h"
#include "model/i2s/place_counts.h"
#include "quant/tensor_type.h"

namespace bitnet {

// The codes of an I2_S tensor.
struct CodeCounts {
  std::uint64_t minus = 0;    // code 0
  std::uint64_t zero = 0;     // code 1
  std::uint64_t plus = 0;     // code 2
  std::uint64_t invalid = 0;  // code 3

  std::uint64_t total() const { return minus + zero + plus + invalid; }
  double rate(std::uint64_t n) const { return static_cast<double>(n) / static_cast<double>(total()); }
};

// Asked now and then, on the calling thread, with the rows that are done; false ends the work, and what was
// counted so far is returned.
using RowsHook = std::function<bool(std::size_t rows_done)>;

// Of `rows` rows, which take 2 bits for each element. Zeros are added to `places`, a count for as many
// columns.
CodeCounts count_codes(std::span<const std::byte> codes, std::size_t rows, ThreadPool& pool,
                       PlaceCounts& places, const RowsHook& keep_going = {});

struct ValueRange {
  float min = 0;  // of the finite ones
  float max = 0;
  double rms = 0;
  std::uint64_t n_zero = 0;
  std::uint64_t n_not_finite = 0;
};

// Of a matrix that is not ternary.
ValueRange range_of(const quant::Matrix& w, ThreadPool& pool, const RowsHook& keep_going = {});

}  // namespace bitnet
