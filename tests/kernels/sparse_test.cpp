#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "kernels/backends.h"
#include "kernels/ternary_inputs.h"
#include "quant/columns.h"

namespace bitnet::kernels {
namespace {

class Sparse : public EveryBackend {};
BITNET_FOR_EVERY_BACKEND(Sparse);

// One of `every` things at random; 0: none.
std::vector<std::uint32_t> some_of(std::size_t n, unsigned every, std::mt19937& rng) {
  std::vector<std::uint32_t> list;
  for (std::uint32_t i = 0; i < n; ++i) {
    if (every != 0 && rng() % every == 0) list.push_back(i);
  }
  return list;
}

TEST_P(Sparse, ListedRowsAreThoseOfTheWholeProduct) {
  std::mt19937 rng(3);
  for (const std::size_t cols : {128U, 256U, 384U, 640U, 2560U}) {
    for (const std::size_t rows : {1U, 5U, 50U}) {
      for (const unsigned every : {0U, 1U, 2U, 5U}) {
        for (const std::size_t n_tokens : {1U, 2U, 3U, 4U}) {
          const TestMatrix m = random_ternary(rows, cols, static_cast<unsigned>(rng()));
          const Quantized x = quantized(
              n_tokens, cols, [&](std::size_t, std::size_t) { return static_cast<int>(rng() % 256) - 128; });
          std::vector<float> all(n_tokens * rows);
          scalar().matmul_ternary(m.w, 0, rows, x.rows(), n_tokens, {all.data(), rows});
          const auto list = some_of(rows, every, rng);
          std::vector<float> y(n_tokens * rows, kMark);
          kernels().ternary_rows(m.w, list.data(), list.size(), x.rows(), n_tokens, {y.data(), rows});
          for (std::size_t i = 0; i < y.size(); ++i) {
            const bool is_listed = std::ranges::binary_search(list, static_cast<std::uint32_t>(i % rows));
            ASSERT_EQ(y[i], is_listed ? all[i] : kMark) << cols << " cols, row " << i % rows;
          }
        }
      }
    }
  }
}

struct TestColumns {
  explicit TestColumns(const TestMatrix& m) : w{.rows = m.w.rows, .cols = m.w.cols} {
    bytes.resize(w.n_bytes());
    quant::copy_to_columns(m.w, 0, w.cols, bytes.data());
    w.data = bytes.data();
  }
  std::vector<std::byte> bytes;
  quant::Columns w;
};

// Sums of the rows over the listed columns alone, -1 for code 0, from what a kernel gives on top of `before`.
std::vector<std::int32_t> column_products(const Kernels& k, const TestColumns& c, const Quantized& x,
                                          std::size_t n_tokens, std::vector<std::uint32_t> list,
                                          std::int32_t before) {
  const std::size_t n = list.size();
  list.resize((n + kColumnGroup - 1) / kColumnGroup * kColumnGroup, 0);
  std::vector<std::int8_t> q(n_tokens * list.size());
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (std::size_t i = 0; i < n; ++i) q[t * list.size() + i] = x.q[t * x.stride + list[i]];
  }
  std::vector<std::int32_t> sums(n_tokens * column_sums(c.w));
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = before * (1 << shift_of_column_sum(i));
  k.add_columns(c.w, {list.data(), q.data(), list.size(), list.size(), n_tokens}, sums.data());
  std::vector<std::int32_t> out;
  for (std::size_t t = 0; t < n_tokens; ++t) {
    std::int32_t of_q = 0;
    for (std::size_t i = 0; i < n; ++i) of_q += q[t * list.size() + i];
    for (std::size_t r = 0; r < c.w.rows; ++r) {
      const std::int32_t sum = sums[t * column_sums(c.w) + r];
      EXPECT_EQ(sum % (1 << shift_of_column_sum(r)), 0);
      out.push_back((sum >> shift_of_column_sum(r)) - before - of_q);
    }
  }
  return out;
}

TEST_P(Sparse, ColumnsGiveTheSumsOfTheirRowsAtEveryDensity) {
  std::mt19937 rng(4);
  for (const std::size_t rows : {1U, 8U, 17U, 64U, 200U, 256U, 257U, 640U}) {
    for (const std::size_t cols : {128U, 384U, 1152U}) {
      const TestMatrix m = random_ternary(rows, cols, static_cast<unsigned>(rows + cols));
      const TestColumns c(m);
      for (const unsigned every : {0U, 1U, 2U, 5U, 50U}) {
        for (const std::size_t n_tokens : {1U, 2U, 3U, 4U}) {
          const Quantized x = quantized(
              n_tokens, cols, [&](std::size_t, std::size_t) { return static_cast<int>(rng() % 256) - 128; });
          const auto list = some_of(cols, every, rng);
          const auto got = column_products(kernels(), c, x, n_tokens, list, 77);
          for (std::size_t r = 0; r < rows; ++r) {
            const auto weights = m.row(r);  // times the scale, 1/8
            for (std::size_t t = 0; t < n_tokens; ++t) {
              std::int32_t want = 0;
              for (const std::uint32_t col : list)
                want += static_cast<int>(weights[col] * 8) * x.q[t * x.stride + col];
              ASSERT_EQ(got[t * rows + r], want) << rows << " x " << cols << ", row " << r << ", token " << t;
            }
          }
        }
      }
    }
  }
}

TEST_P(Sparse, ColumnSumsDoNotOverflowAtTheWorst) {
  const std::size_t cols = kMostColumns / 128 * 128;
  std::vector<std::uint32_t> all(cols);
  for (std::uint32_t i = 0; i < cols; ++i) all[i] = i;
  for (const unsigned code : {0U, 2U}) {
    const TestMatrix m = ternary(256, cols, 1.0F, [&] { return code; });
    const TestColumns c(m);
    for (const int q : {-128, 127}) {
      const Quantized x = quantized(1, cols, [&](std::size_t, std::size_t) { return q; });
      const std::int32_t want = (static_cast<int>(code) - 1) * q * static_cast<std::int32_t>(cols);
      for (const std::int32_t sum : column_products(kernels(), c, x, 1, all, 0)) ASSERT_EQ(sum, want);
    }
  }
}

}  // namespace
}  // namespace bitnet::kernels
