#include "kernels/avx512/ternary.h"
#include "kernels/generic/ahead.h"

namespace bitnet::kernels::avx512 {
namespace {

// Each 32-bit lane of a register belongs to one row: a step multiplies four neighbouring codes of 16 rows
// with the same four activations, broadcast. No sum has to be folded across lanes, and 16 results are stored
// together.
constexpr std::size_t kLanes = 16;
// Register tile: 3 x 8 sums, 3 vectors of codes and one of activations fill 28 of the 32 registers, and 11
// loads feed 24 multiplications.
constexpr std::size_t kVectors = 3;
constexpr std::size_t kTokens = 8;
constexpr std::size_t kPanelRows = kVectors * kLanes;
// Unpacked weights that stay in L1 while all tokens pass by: 48 rows x 384 columns = 18 KiB of 32, beside 3
// KiB of activations. 640 columns, with which they just about fill it, measured 3 % less on a Zen 4.
constexpr std::size_t kPanelCols = 384;
// Tokens whose sums are kept at a time: 256 x 48 x 4 bytes = 48 KiB, at home in L2.
constexpr std::size_t kTokenBlock = 256;

// The codes of some rows over one block of columns, a byte each.
struct alignas(64) Panel {
  std::uint8_t code[kPanelCols / 4][kVectors][kLanes][4];
};

// Sums of one token, one for each row of the panel.
struct alignas(64) TokenSums {
  std::int32_t of[kVectors][kLanes];
};

// The dwords of 32 bytes from each of 16 rows, transposed: vector i holds dword i of rows 0..15.
struct Transposed {
  __m512i dword[8];
};

Transposed transpose(const std::uint8_t* const* rows, std::size_t at) {
  const auto load_pair = [&](std::size_t low, std::size_t high) {
    const auto* a = reinterpret_cast<const __m256i*>(rows[low] + at);
    const auto* b = reinterpret_cast<const __m256i*>(rows[high] + at);
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256(a)), _mm256_loadu_si256(b), 1);
  };
  // In each 128-bit quarter four dwords of four rows; quarters 0 and 2 hold dwords 0..3 of rows first.. and
  // first + 4.., quarters 1 and 3 dwords 4..7 of them.
  const auto transpose_quarters = [&](std::size_t first, __m512i* out) {
    const __m512i r0 = load_pair(first, first + 4);
    const __m512i r1 = load_pair(first + 1, first + 5);
    const __m512i r2 = load_pair(first + 2, first + 6);
    const __m512i r3 = load_pair(first + 3, first + 7);
    const __m512i low01 = _mm512_unpacklo_epi32(r0, r1);
    const __m512i high01 = _mm512_unpackhi_epi32(r0, r1);
    const __m512i low23 = _mm512_unpacklo_epi32(r2, r3);
    const __m512i high23 = _mm512_unpackhi_epi32(r2, r3);
    out[0] = _mm512_unpacklo_epi64(low01, low23);
    out[1] = _mm512_unpackhi_epi64(low01, low23);
    out[2] = _mm512_unpacklo_epi64(high01, high23);
    out[3] = _mm512_unpackhi_epi64(high01, high23);
  };
  __m512i upper[4];
  __m512i lower[4];
  transpose_quarters(0, upper);
  transpose_quarters(8, lower);
  Transposed t;
  for (std::size_t i = 0; i < 4; ++i) {
    t.dword[i] = _mm512_shuffle_i32x4(upper[i], lower[i], 0x88);      // quarters 0 and 2 of both
    t.dword[i + 4] = _mm512_shuffle_i32x4(upper[i], lower[i], 0xDD);  // quarters 1 and 3
  }
  return t;
}

// Rows past the last repeat it; what they give is never stored.
void fill(Panel& panel, const quant::Matrix& w, std::size_t row, std::size_t n_rows, std::size_t col,
          std::size_t n_cols) {
  const __m512i mask = _mm512_set1_epi8(3);
  const std::size_t row_bytes = w.cols / 4;
  const auto* data = reinterpret_cast<const std::uint8_t*>(w.data) + col / 4;
  for (std::size_t v = 0; v * kLanes < n_rows; ++v) {
    const std::uint8_t* rows[kLanes];
    for (std::size_t r = 0; r < kLanes; ++r) {
      const std::size_t from = v * kLanes + r < n_rows ? v * kLanes + r : n_rows - 1;
      rows[r] = data + (row + from) * row_bytes;
    }
    for (std::size_t at = 0; at < n_cols / 4; at += 32) {
      const Transposed t = transpose(rows, at);
      for (std::size_t i = 0; i < 8; ++i) {
        const auto store = [&](std::size_t k, __m512i codes) {
          _mm512_store_si512(panel.code[at + 8 * k + i][v], _mm512_and_si512(codes, mask));
        };
        store(0, _mm512_srli_epi16(t.dword[i], 6));
        store(1, _mm512_srli_epi16(t.dword[i], 4));
        store(2, _mm512_srli_epi16(t.dword[i], 2));
        store(3, t.dword[i]);
      }
    }
  }
}

// R vectors of rows and N tokens over one block of columns, added to the sums.
template <std::size_t R, std::size_t N>
void multiply_tile(const Panel& panel, const std::int8_t* q, std::size_t stride, std::size_t n_cols,
                   TokenSums* sums) {
  __m512i sum[N][R];
  for (std::size_t t = 0; t < N; ++t) {
    for (std::size_t r = 0; r < R; ++r) sum[t][r] = _mm512_load_si512(sums[t].of[r]);
  }
  for (std::size_t i = 0; i < n_cols / 4; ++i) {
    __m512i codes[R];
    for (std::size_t r = 0; r < R; ++r) codes[r] = _mm512_load_si512(panel.code[i][r]);
    for (std::size_t t = 0; t < N; ++t) {
      const __m512i a = broadcast_4(q + t * stride + 4 * i);
      for (std::size_t r = 0; r < R; ++r) add_products(sum[t][r], codes[r], a);
    }
  }
  for (std::size_t t = 0; t < N; ++t) {
    for (std::size_t r = 0; r < R; ++r) _mm512_store_si512(sums[t].of[r], sum[t][r]);
  }
}

// The lines that a tile's results go to, brought near to be written: other threads had them last.
template <std::size_t R>
void own_results(const float* results, std::size_t stride) {
  for (std::size_t t = 0; t < kTokens; ++t) {
    for (std::size_t r = 0; r < R; ++r)
      __asm__ volatile("prefetchw %0" : : "m"(results[t * stride + r * kLanes]));
  }
}

// results: where the first token's go, if these are the last columns; else nullptr.
template <std::size_t R>
void multiply_panel(const Panel& panel, const std::int8_t* q, std::size_t stride, std::size_t n_tokens,
                    std::size_t n_cols, TokenSums* sums, generic::Ahead& ahead, const float* results,
                    std::size_t y_stride) {
  std::size_t t = 0;
  for (; t + kTokens <= n_tokens; t += kTokens) {
    ahead.ask();
    if (results != nullptr) own_results<R>(results + t * y_stride, y_stride);
    multiply_tile<R, kTokens>(panel, q + t * stride, stride, n_cols, sums + t);
  }
  for (; t + 4 <= n_tokens; t += 4) multiply_tile<R, 4>(panel, q + t * stride, stride, n_cols, sums + t);
  for (; t + 2 <= n_tokens; t += 2) multiply_tile<R, 2>(panel, q + t * stride, stride, n_cols, sums + t);
  if (t < n_tokens) multiply_tile<R, 1>(panel, q + t * stride, stride, n_cols, sums + t);
}

void store(const quant::Matrix& w, std::size_t row, std::size_t n_rows, const QuantizedRows& x,
           std::size_t token, const TokenSums& sums, const OutputRows& y) {
  const __m512 scale = _mm512_set1_ps(w.scale / x.scale[token]);
  const __m512i activation_sum = _mm512_set1_epi32(x.sum[token]);
  float* out = y.y + token * y.stride + row;
  for (std::size_t r = 0; r < n_rows; r += kLanes) {
    const __m512i total = _mm512_sub_epi32(_mm512_load_si512(sums.of[r / kLanes]), activation_sum);
    const std::size_t n = n_rows - r < kLanes ? n_rows - r : kLanes;
    _mm512_mask_storeu_ps(out + r, static_cast<__mmask16>((1U << n) - 1),
                          _mm512_mul_ps(scale, _mm512_cvtepi32_ps(total)));
  }
}

void multiply_rows(const quant::Matrix& w, std::size_t row, std::size_t n_rows, const QuantizedRows& x,
                   std::size_t first_token, std::size_t n_tokens, const OutputRows& y) {
  TokenSums sums[kTokenBlock];
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (auto& vector : sums[t].of) _mm512_store_si512(vector, _mm512_setzero_si512());
  }
  // Blocks of equal size, so that none is a short rest.
  const std::size_t n_blocks = (w.cols + kPanelCols - 1) / kPanelCols;
  const std::size_t block = (w.cols / 128 + n_blocks - 1) / n_blocks * 128;
  const std::size_t next = row + n_rows;
  const std::size_t n_next = next + kPanelRows < w.rows ? kPanelRows : w.rows - next;
  // The rows that come next are asked for while these are multiplied: `fill` then has no memory to wait for.
  generic::Ahead ahead(w.data + next * w.cols / 4, n_next * w.cols / 4,
                       n_blocks * ((n_tokens + kTokens - 1) / kTokens));
  Panel panel;
  for (std::size_t col = 0; col < w.cols; col += block) {
    const std::size_t n_cols = col + block < w.cols ? block : w.cols - col;
    fill(panel, w, row, n_rows, col, n_cols);
    const std::int8_t* q = x.q + first_token * x.stride + col;
    const float* results = col + block >= w.cols ? y.y + first_token * y.stride + row : nullptr;
    if (n_rows <= kLanes) {
      multiply_panel<1>(panel, q, x.stride, n_tokens, n_cols, sums, ahead, results, y.stride);
    } else if (n_rows <= 2 * kLanes) {
      multiply_panel<2>(panel, q, x.stride, n_tokens, n_cols, sums, ahead, results, y.stride);
    } else {
      multiply_panel<kVectors>(panel, q, x.stride, n_tokens, n_cols, sums, ahead, results, y.stride);
    }
  }
  for (std::size_t t = 0; t < n_tokens; ++t) store(w, row, n_rows, x, first_token + t, sums[t], y);
}

}  // namespace

void gemm_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
               std::size_t n_tokens, const OutputRows& y) {
  for (std::size_t row = row_begin; row < row_end; row += kPanelRows) {
    const std::size_t n_rows = row + kPanelRows < row_end ? kPanelRows : row_end - row;
    for (std::size_t t = 0; t < n_tokens; t += kTokenBlock) {
      const std::size_t n = t + kTokenBlock < n_tokens ? kTokenBlock : n_tokens - t;
      multiply_rows(w, row, n_rows, x, t, n, y);
    }
  }
}

}  // namespace bitnet::kernels::avx512
