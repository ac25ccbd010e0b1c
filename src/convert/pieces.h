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
#include "convert/plan.h"
#include "convert/source.h"

namespace bitnet::convert {

// Values in a piece: their codes, a megabyte, stay in a core's cache while they are looked through and
// written, and giving their pages back costs little beside it.
inline constexpr std::uint64_t kPieceValues = std::uint64_t{1} << 22;

struct RowRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// Rows [begin, end), and those that are `step`, twice as many, ... further, up to `limit`: the ones that lie
// in the same bytes (Source::shared_rows) belong together, so that these are brought in once.
struct Piece {
  std::size_t tensor = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t step = 0;
  std::uint64_t limit = 0;

  // Calls visit(RowRange) for each stretch.
  template <typename Visit>
  void for_ranges(const Visit& visit) const {
    for (std::uint64_t shift = 0; begin + shift < limit; shift += step) {
      visit(RowRange{begin + shift, std::min(end + shift, limit)});
    }
  }
  // Calls visit(row) for each row.
  template <typename Visit>
  void for_rows(const Visit& visit) const {
    for_ranges([&](RowRange rows) {
      for (std::uint64_t row = rows.begin; row < rows.end; ++row) visit(row);
    });
  }
};

// Whole fours of rows, but for the last: so they lie in one layout of I2_S.
inline std::uint64_t rows_in_piece(std::uint64_t cols) {
  return std::max<std::uint64_t>(1, kPieceValues / cols / 4) * 4;
}

// Those of a tensor that is numbered so, whose rows lie in the source's as they are.
inline void add_pieces(std::size_t number, const Source& source, const TensorPlan& plan,
                       std::vector<Piece>& pieces) {
  const std::uint64_t rows = plan.rows();
  SharedRows shared{.group = rows, .step = rows};
  if (plan.way != Way::factor) shared = source.shared_rows(plan.source);
  const std::uint64_t n_shared = (shared.group + shared.step - 1) / shared.step;
  const std::uint64_t n = std::max<std::uint64_t>(1, rows_in_piece(plan.cols()) / n_shared);
  for (std::uint64_t group = 0; group < rows; group += shared.group) {
    for (std::uint64_t begin = 0; begin < shared.step; begin += n) {
      pieces.push_back({.tensor = number,
                        .begin = group + begin,
                        .end = group + std::min(begin + n, shared.step),
                        .step = shared.step,
                        .limit = group + shared.group});
    }
  }
}

// Of all tensors, each with its number in the plan.
inline std::vector<Piece> pieces_of(const Source& source, const Plan& plan) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) add_pieces(i, source, plan.tensors[i], pieces);
  return pieces;
}

// Calls work(piece, its number) for all of them, of which it may throw, and after each that the calling
// thread has worked on done(n), on that thread, with the number of pieces that are finished. Of what work
// throws the first in the pieces' order is passed on; what done throws ends it all.
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
