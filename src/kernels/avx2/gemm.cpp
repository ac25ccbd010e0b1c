#include "kernels/avx2/ternary.h"

namespace bitnet::kernels::avx2 {
namespace {

// Register tile: 4 rows x 3 tokens are 12 sums; with 3 vectors of activations and 1 of codes they fill the 16
// registers, and 7 loads feed 12 multiplications.
constexpr std::size_t kRows = 4;
constexpr std::size_t kTokens = 3;
// Tokens whose 32-bit sums are kept beside the unpacked weights: 4 x 96 x 32 bytes = 12 KiB of L1.
constexpr std::size_t kTokenBlock = 96;

// The codes of 4 rows over one block of columns, a byte each: 8 KiB, read by every token of the block from
// L1.
struct alignas(64) Panel {
  std::uint8_t code[kRows][kBlock];
};

void fill(Panel& panel, const quant::Matrix& w, std::size_t row, std::size_t n_rows, std::size_t col,
          std::size_t n_cols) {
  const std::size_t row_bytes = w.cols / 4;
  const auto* codes = reinterpret_cast<const std::uint8_t*>(w.data) + row * row_bytes + col / 4;
  for (std::size_t r = 0; r < n_rows; ++r) {
    for (std::size_t at = 0; at < n_cols; at += 128) {
      const Codes c = unpack(codes + r * row_bytes + at / 4);
      for (std::size_t k = 0; k < 4; ++k) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(&panel.code[r][at + 32 * k]), c.of[k]);
      }
    }
  }
}

// 16-bit sums of kRows rows and N tokens over one block of columns, added to the 32-bit ones.
template <std::size_t N>
void multiply_tile(const Panel& panel, const std::int8_t* q, std::size_t stride, std::size_t n_cols,
                   __m256i (*sum)[kRows]) {
  __m256i sum16[N][kRows];
  for (std::size_t t = 0; t < N; ++t) {
    for (std::size_t r = 0; r < kRows; ++r) sum16[t][r] = _mm256_setzero_si256();
  }
  for (std::size_t i = 0; i < n_cols; i += 32) {
    __m256i a[N];
    for (std::size_t t = 0; t < N; ++t) a[t] = load_32(q + t * stride + i);
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m256i codes = _mm256_load_si256(reinterpret_cast<const __m256i*>(&panel.code[r][i]));
      for (std::size_t t = 0; t < N; ++t)
        sum16[t][r] = _mm256_add_epi16(sum16[t][r], _mm256_maddubs_epi16(codes, a[t]));
    }
  }
  for (std::size_t t = 0; t < N; ++t) {
    for (std::size_t r = 0; r < kRows; ++r) sum[t][r] = widen_add(sum[t][r], sum16[t][r]);
  }
}

void multiply_rows(const quant::Matrix& w, std::size_t row, std::size_t n_rows, const QuantizedRows& x,
                   std::size_t first_token, std::size_t n_tokens, const OutputRows& y) {
  Panel panel;
  for (std::size_t r = n_rows; r < kRows; ++r) {
    for (std::uint8_t& code : panel.code[r]) code = 0;
  }
  __m256i sum[kTokenBlock][kRows];
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (std::size_t r = 0; r < kRows; ++r) sum[t][r] = _mm256_setzero_si256();
  }
  // Blocks of equal size, so that none is a short rest.
  const std::size_t n_blocks = (w.cols + kBlock - 1) / kBlock;
  const std::size_t block = (w.cols / 128 + n_blocks - 1) / n_blocks * 128;
  for (std::size_t col = 0; col < w.cols; col += block) {
    const std::size_t n_cols = col + block < w.cols ? block : w.cols - col;
    fill(panel, w, row, n_rows, col, n_cols);
    const std::int8_t* q = x.q + first_token * x.stride + col;
    std::size_t t = 0;
    for (; t + kTokens <= n_tokens; t += kTokens)
      multiply_tile<kTokens>(panel, q + t * x.stride, x.stride, n_cols, sum + t);
    for (; t < n_tokens; ++t) multiply_tile<1>(panel, q + t * x.stride, x.stride, n_cols, sum + t);
  }
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (std::size_t r = 0; r < n_rows; ++r) finish(w, row + r, x, first_token + t, sum[t][r], y);
  }
}

}  // namespace

void gemm_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
               std::size_t n_tokens, const OutputRows& y) {
  for (std::size_t row = row_begin; row < row_end; row += kRows) {
    const std::size_t n_rows = row + kRows < row_end ? kRows : row_end - row;
    for (std::size_t t = 0; t < n_tokens; t += kTokenBlock) {
      multiply_rows(w, row, n_rows, x, t, t + kTokenBlock < n_tokens ? kTokenBlock : n_tokens - t, y);
    }
  }
}

}  // namespace bitnet::kernels::avx2
