#include <algorithm>

#include "kernels/avx512/fold.h"
#include "kernels/avx512/ternary.h"
#include "kernels/generic/unrolled.h"

namespace bitnet::kernels::avx512 {
namespace {

constexpr std::size_t kGroupBytes = 32;
constexpr std::size_t kLineBytes = 2 * kGroupBytes;
// How far ahead of its use a line of weights is asked for in each row. On a Zen 4 three times as far, to the
// second cache, did as well.
constexpr std::size_t kPrefetchBytes = 1280;
// Tokens multiplied at a time: with three rows 24 sums, which with each row's codes, a mask and a vector of
// activations fill 29 of the 32 registers.
constexpr std::size_t kTokens = 8;
// Volatile, so that it is loaded anew for each half: kept for the second, three rows' would leave too few
// registers for the sums of eight tokens, and on a Zen 5 two sums on the stack cost a sixth of the speed.
[[gnu::always_inline]] inline __m512i load_twice(const std::uint8_t* group) {
  __m512i twice;
  __asm__ volatile("vbroadcasti64x4 %1, %0" : "=v"(twice) : "m"(*reinterpret_cast<const __m256i_u*>(group)));
  return twice;
}

// Rows that all tokens pass by before the next: at home in the second cache.
constexpr std::size_t kChunkBytes = std::size_t{48} << 10;

// Rows worked on together, each a stream of its own: the more, the seldomer the activations are loaded.
constexpr std::size_t rows_for(std::size_t n_tokens) { return n_tokens <= 5 ? 4 : 3; }

// Tokens [first, first + N).
template <std::size_t N>
class Tile {
 public:
  Tile(const quant::Matrix& w, const QuantizedRows& x, std::size_t first, const OutputRows& y)
      : codes_(reinterpret_cast<const std::uint8_t*>(w.data)),
        row_bytes_(w.cols / 4),
        q_(x.q + first * x.stride),
        stride_(x.stride),
        y_(y.y + first * y.stride),
        y_stride_(y.stride) {
    for (std::size_t t = 0; t < N; ++t) {
      factor_[t] = w.scale / x.scale[first + t];
      activation_sum_[t] = x.sum[first + t];
    }
  }

  // Rows row, row + apart, ... R of them.
  template <std::size_t R>
  void multiply(std::size_t row, std::size_t apart) const {
    const std::uint8_t* first = codes_ + row * row_bytes_;
    const std::size_t step = apart * row_bytes_;
    __m512i sum[R][N];
    generic::for_each<R, N>([&](auto r, auto t) { sum[r][t] = _mm512_setzero_si512(); });
    std::size_t at = 0;
    for (; at + kLineBytes <= row_bytes_; at += kLineBytes) {
      for (std::size_t r = 0; r < R; ++r)
        _mm_prefetch(reinterpret_cast<const char*>(first + r * step + at + kPrefetchBytes), _MM_HINT_T0);
      add_group<R>(first + at, step, q_ + 4 * at, sum);
      add_group<R>(first + at + kGroupBytes, step, q_ + 4 * (at + kGroupBytes), sum);
    }
    if (at < row_bytes_) add_group<R>(first + at, step, q_ + 4 * at, sum);
    generic::unrolled<R>([&](auto r) __attribute__((always_inline)) { store(sum[r], row + r * apart); });
  }

 private:
  // A group's 32 bytes stand in both halves of a vector: shifted by 6 in the lower and by 4 in the upper, and
  // then by 2 and 0, they are the codes of 64 activations in a row.
  template <std::size_t R>
  [[gnu::always_inline]] void add_group(const std::uint8_t* group, std::size_t step, const std::int8_t* q,
                                        __m512i (&sum)[R][N]) const {
    generic::unrolled<2>([&](auto half) __attribute__((always_inline)) {
      const __m512i shift =
          half == 0 ? _mm512_setr_epi64(6, 6, 6, 6, 4, 4, 4, 4) : _mm512_setr_epi64(2, 2, 2, 2, 0, 0, 0, 0);
      __m512i codes[R];
      generic::unrolled<R>([&](auto r) {
        codes[r] =
            _mm512_and_si512(_mm512_srlv_epi64(load_twice(group + r * step), shift), _mm512_set1_epi8(3));
      });
      generic::unrolled<N>([&](auto t) __attribute__((always_inline)) {
        const __m512i a = load_64(q + t * stride_ + 64 * half);
        generic::unrolled<R>([&](auto r)
                                 __attribute__((always_inline)) { add_products(sum[r][t], codes[r], a); });
      });
    });
  }

  [[gnu::always_inline]] void store(const __m512i (&sum)[N], std::size_t row) const {
    const __m512i none = _mm512_setzero_si512();
    generic::unrolled<(N + 3) / 4>([&](auto four) __attribute__((always_inline)) {
      constexpr std::size_t t = 4 * four;
      const __m128i total = add_up(sum[t], t + 1 < N ? sum[t + 1 < N ? t + 1 : t] : none,
                                   t + 2 < N ? sum[t + 2 < N ? t + 2 : t] : none,
                                   t + 3 < N ? sum[t + 3 < N ? t + 3 : t] : none);
      const __m128i codes =
          _mm_sub_epi32(total, _mm_load_si128(reinterpret_cast<const __m128i*>(activation_sum_ + t)));
      alignas(16) float result[4];
      _mm_store_ps(result, _mm_mul_ps(_mm_load_ps(factor_ + t), _mm_cvtepi32_ps(codes)));
      for (std::size_t i = 0; i < 4 && t + i < N; ++i) y_[(t + i) * y_stride_ + row] = result[i];
    });
  }

  const std::uint8_t* codes_;
  std::size_t row_bytes_;
  const std::int8_t* q_;
  std::size_t stride_;
  float* y_;
  std::size_t y_stride_;
  // What a sum becomes a product by: code c stands for c - 1.
  alignas(16) float factor_[kTokens] = {};
  alignas(16) std::int32_t activation_sum_[kTokens] = {};
};

// Calls body with the tile of n tokens. With four rows there are at most five.
template <std::size_t R, typename Body>
void with_tile(const quant::Matrix& w, const QuantizedRows& x, std::size_t first, std::size_t n,
               const OutputRows& y, Body body) {
  if constexpr (rows_for(4) == R) {
    switch (n) {
      case 2:
        return body(Tile<2>(w, x, first, y));
      case 3:
        return body(Tile<3>(w, x, first, y));
      case 4:
        return body(Tile<4>(w, x, first, y));
      default:
        return body(Tile<5>(w, x, first, y));
    }
  } else {
    switch (n) {
      case 5:
        return body(Tile<5>(w, x, first, y));
      case 6:
        return body(Tile<6>(w, x, first, y));
      case 7:
        return body(Tile<7>(w, x, first, y));
      default:
        return body(Tile<8>(w, x, first, y));
    }
  }
}

// Of R streams: what is asked for from then on lies behind it.
template <std::size_t R>
void prefetch_beginnings(const quant::Matrix& w, std::size_t row, std::size_t apart) {
  const std::size_t row_bytes = w.cols / 4;
  const char* codes = reinterpret_cast<const char*>(w.data) + row * row_bytes;
  for (std::size_t at = 0; at < kPrefetchBytes && at < apart * row_bytes; at += kLineBytes) {
    for (std::size_t r = 0; r < R; ++r) _mm_prefetch(codes + r * apart * row_bytes + at, _MM_HINT_T0);
  }
}

// The rows come from R parts of the range: each is then one long sequential stream, as in gemv_i2_s. Tokens
// are in n_tiles tiles of equal size, or one less.
template <std::size_t R>
void multiply_rows(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end, const QuantizedRows& x,
                   std::size_t n_tokens, std::size_t n_tiles, const OutputRows& y) {
  const auto for_each_tile = [&](auto body) {
    for (std::size_t i = 0; i < n_tiles; ++i) {
      const std::size_t first = n_tokens * i / n_tiles;
      with_tile<R>(w, x, first, n_tokens * (i + 1) / n_tiles - first, y, body);
    }
  };
  const std::size_t part = (row_end - row_begin) / R;
  const std::size_t chunk = std::max<std::size_t>(1, kChunkBytes / (R * w.cols / 4));
  prefetch_beginnings<R>(w, row_begin, part);
  for (std::size_t begin = 0; begin < part; begin += chunk) {
    const std::size_t end = std::min(begin + chunk, part);
    for_each_tile([&](const auto& tile) {
      for (std::size_t i = begin; i < end; ++i) tile.template multiply<R>(row_begin + i, part);
    });
  }
  const std::size_t rest = row_begin + R * part;
  if (rest == row_end) return;
  for_each_tile([&](const auto& tile) {
    for (std::size_t row = rest; row < row_end; ++row) tile.template multiply<1>(row, 0);
  });
}

}  // namespace

void few_tokens_i2_s(const quant::Matrix& w, std::size_t row_begin, std::size_t row_end,
                     const QuantizedRows& x, std::size_t n_tokens, const OutputRows& y) {
  const std::size_t n_tiles = (n_tokens + kTokens - 1) / kTokens;
  const std::size_t largest = (n_tokens + n_tiles - 1) / n_tiles;
  const auto multiply = rows_for(largest) == 4 ? multiply_rows<4> : multiply_rows<3>;
  multiply(w, row_begin, row_end, x, n_tokens, n_tiles, y);
}

}  // namespace bitnet::kernels::avx512
