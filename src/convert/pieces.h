// A tensor in pieces of some megabytes, worked on by all threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <vector>

#include "base/thread_pool.h"

namespace bitnet::convert {

// Values in a piece: their codes, a megabyte, stay in a core's cache while they are looked through and
// written, and giving their pages back costs little beside it.
inline constexpr std::uint64_t kPieceValues = std::uint64_t{1} << 22;
// Pieces between two questions whether to go on, or two for each thread if that is more: some tenths of a
// second where rounding takes longest.
inline constexpr std::size_t kBatchPieces = 8;

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

// Calls work(piece, its number) for all of them, of which it may throw, and after each batch done(n), with
// the number of pieces that are finished. Of what is thrown the first in the pieces' order is passed on.
template <typename Work, typename Done>
void for_pieces(const std::vector<Piece>& pieces, ThreadPool& pool, const Work& work, const Done& done) {
  const std::size_t batch = std::max<std::size_t>(kBatchPieces, 2 * std::size_t{pool.n_threads()});
  for (std::size_t first = 0; first < pieces.size(); first += batch) {
    const std::size_t n = std::min(batch, pieces.size() - first);
    std::vector<std::exception_ptr> failures(n);
    pool.parallel_for(n, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        try {
          work(pieces[first + i], first + i);
        } catch (...) {
          failures[i] = std::current_exception();
        }
      }
    });
    for (const std::exception_ptr& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
    done(first + n);
  }
}

}  // namespace bitnet::convert
