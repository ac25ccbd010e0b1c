// Tensors in pieces: every row once, and failures that do not depend on who came first.
#include "convert/pieces.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace bitnet::test {
namespace {

using convert::Piece;

// Of one tensor, whose rows share bytes as said.
class RowsOnly : public convert::Source {
 public:
  RowsOnly(std::uint64_t cols, std::uint64_t rows, convert::SharedRows shared) : shared_(shared) {
    tensors_.push_back({.name = "x", .dims = {cols, rows}, .origin = {}});
  }
  const std::string& name() const override { return name_; }
  std::vector<std::string> files() const override { return {}; }
  gguf::KeyValues keys() const override { return {}; }
  std::uint64_t alignment() const override { return 32; }
  std::vector<convert::Repair> repairs() const override { return {}; }
  std::span<const convert::SourceTensor> tensors() const override { return tensors_; }
  convert::SharedRows shared_rows(std::size_t /*tensor*/) const override { return shared_; }
  std::optional<std::string> check(std::size_t, std::uint64_t, std::uint64_t) const override { return {}; }
  std::span<const std::byte> stored(std::size_t) const override { return {}; }
  bool read_coded(std::size_t, std::uint64_t, quant::CodedRow&) const override { return false; }
  void read_values(std::size_t, std::uint64_t, float*) const override {}
  void give_back(std::size_t, std::uint64_t, std::uint64_t) const override {}

 private:
  std::string name_ = "rows";
  std::vector<convert::SourceTensor> tensors_;
  convert::SharedRows shared_;
};

TEST(Pieces, HoldEveryRowOnceAndTogetherWhatSharesBytes) {
  constexpr std::uint64_t kCols = convert::kPieceValues / 8;  // eight rows in a piece
  for (std::uint64_t group = 1; group <= 41; ++group) {
    for (const std::uint64_t step : {group, (group + 3) / 4}) {
      const std::uint64_t rows = 3 * group;
      const RowsOnly source(kCols, rows, {.group = group, .step = step});
      std::vector<Piece> pieces;
      convert::add_pieces(7, source, {.name = "x", .dims = {kCols, rows}}, pieces);
      std::vector<std::size_t> piece_of(rows, pieces.size());
      for (std::size_t i = 0; i < pieces.size(); ++i) {
        EXPECT_EQ(pieces[i].tensor, 7U);
        std::uint64_t n = 0;
        pieces[i].for_rows([&](std::uint64_t row) {
          ASSERT_LT(row, rows);
          EXPECT_EQ(piece_of[row], pieces.size()) << "row " << row << " twice";
          piece_of[row] = i;
          ++n;
        });
        EXPECT_LE(n, 8U);
      }
      for (std::uint64_t row = 0; row < rows; ++row) {
        ASSERT_LT(piece_of[row], pieces.size()) << "row " << row << " of groups of " << group;
        const std::uint64_t first = row / group * group + row % group % step;
        EXPECT_EQ(piece_of[row], piece_of[first]) << "row " << row << " of groups of " << group;
      }
    }
  }
}

TEST(Pieces, AreAllWorkedOnAndCountedByTheCaller) {
  ThreadPool pool(3);
  const std::vector<Piece> pieces(50);
  std::vector<std::atomic<int>> seen(pieces.size());
  std::size_t last = 0;
  convert::for_pieces(
      pieces, pool, [&](const Piece& piece, std::size_t i) { seen[i] += &piece == &pieces[i] ? 1 : 100; },
      [&](std::size_t n_done) {
        EXPECT_EQ(ThreadPool::thread_index(), 0U);
        EXPECT_GT(n_done, last);
        EXPECT_LE(n_done, pieces.size());
        last = n_done;
      });
  for (const auto& n : seen) EXPECT_EQ(n, 1);
}

TEST(Pieces, PassOnTheFirstFailureInTheirOrder) {
  ThreadPool pool(4);
  const std::vector<Piece> pieces(64);
  for (int round = 0; round < 50; ++round) {
    try {
      convert::for_pieces(
          pieces, pool,
          [&](const Piece&, std::size_t i) {
            if (i % 16 >= 11) throw std::runtime_error(std::to_string(i));
          },
          [](std::size_t) {});
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "11");
    }
  }
}

TEST(Pieces, EndWhereTheCallerSaysSo) {
  ThreadPool pool(2);
  const std::vector<Piece> pieces(10'000);
  std::atomic<std::size_t> n = 0;
  std::atomic<bool> is_ended = false;
  const auto work = [&](const Piece&, std::size_t) {
    // The other thread leaves some to the caller.
    while (ThreadPool::thread_index() != 0 && !is_ended) std::this_thread::yield();
    ++n;
  };
  const auto done = [&](std::size_t) {
    is_ended = true;
    throw std::logic_error("enough");
  };
  EXPECT_THROW(convert::for_pieces(pieces, pool, work, done), std::logic_error);
  EXPECT_LT(n, pieces.size());
}

}  // namespace
}  // namespace bitnet::test
