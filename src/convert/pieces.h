// A tensor in pieces of some megabytes, worked on by all threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>
#include <vector>

#include "base/thread_pool.h"

namespace bitnet::convert {

// Values in a piece: their codes, a megabyte, stay in a core's cache while they are looked through and
// written, and giving their pages back costs little beside it.
inline constexpr std::uint64_t kPieceValues = std::uint64_t{1} << 22;

struct Piece {
  std::size_t tensor = 0;
  std::uint64_t begin = 0;  // rows
  std::uint64_t end = 0;
};

// Whole fours of rows, but for the last: so they lie in one layout of I2_S.
inline std::uint64_t rows_in_piece(std::uint64_t cols) {
  return std::max<std::uint64_t>(1, kPieceValues / cols / 4) * 4;
}

inline void add_pieces(std::size_t tensor, std::uint64_t rows, std::uint64_t cols,
                       std::vector<Piece>& pieces) {
  const std::uint64_t step = rows_in_piece(cols);
  for (std::uint64_t begin = 0; begin < rows; begin += step) {
    pieces.push_back({tensor, begin, std::min(rows, begin + step)});
  }
}

// Calls work(piece, its number) for all of them, of which it may throw, and after each that the calling thread
// has worked on done(n), on that thread, with the number of pieces that are finished. Of what work throws the
// first in the pieces' order is passed on; what done throws ends it all.
//
// Threads begin far apart, as the pool does it: while one copies what another has to compute, neither waits
// for the file.
template <typename Work, typename Done>
void for_pieces(const std::vector<Piece>& pieces, ThreadPool& pool, const Work& work, const Done& done) {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::atomic<std::size_t> n_done{0};
  std::atomic<std::size_t> first_failure{kNone};  // 0 where it was ended
  std::mutex mutex;
  std::exception_ptr failure;
  const auto fail_at = [&](std::size_t i) {
    const std::lock_guard lock(mutex);
    if (i >= first_failure) return;
    first_failure = i;
    failure = std::current_exception();
  };
  pool.parallel_for(pieces.size(), 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end && i < first_failure; ++i) {
      try {
        work(pieces[i], i);
      } catch (...) {
        fail_at(i);
      }
      ++n_done;
      if (ThreadPool::thread_index() != 0) continue;
      try {
        done(n_done.load());
      } catch (...) {
        fail_at(0);
      }
    }
  });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace bitnet::convert
