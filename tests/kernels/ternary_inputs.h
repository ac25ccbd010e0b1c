// Ternary weights and int8 activations for tests of kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/kernels.h"
#include "quant/tensor_type.h"

namespace bitnet::kernels {

// Stands where nothing was to be written.
inline constexpr float kMark = -12345.0F;

// Weights of any type, with their values as the format's own decoder gives them.
struct TestMatrix {
  std::vector<std::byte> bytes;
  quant::Matrix w;

  std::vector<float> row(std::size_t r) const {
    std::vector<float> out(w.cols);
    quant::info(w.type).decode_row(w, r, out.data());
    return out;
  }
};

template <typename Code>
TestMatrix ternary(std::size_t rows, std::size_t cols, float scale, Code code) {
  TestMatrix m;
  m.bytes.resize(rows * cols / 4 + 32);
  for (std::size_t i = 0; i < rows * cols; ++i) {
    m.bytes[i / 128 * 32 + i % 32] |= static_cast<std::byte>(code() << (6 - 2 * (i % 128 / 32)));
  }
  m.w = {quant::TensorType::i2_s, rows, cols, m.bytes.data(), scale};
  return m;
}

inline TestMatrix random_ternary(std::size_t rows, std::size_t cols, unsigned seed) {
  std::mt19937 rng(seed);
  return ternary(rows, cols, 0.125F, [&] { return rng() % 3; });
}

struct Quantized {
  std::vector<std::int8_t> q;
  std::vector<float> scale;
  std::vector<std::int32_t> sum;
  std::size_t stride = 0;

  QuantizedRows rows() const { return {q.data(), scale.data(), sum.data(), stride}; }
};

template <typename Value>
Quantized quantized(std::size_t n_tokens, std::size_t cols, Value value) {
  Quantized x;
  x.stride = (cols + 63) / 64 * 64;
  x.q.resize(n_tokens * x.stride);
  for (std::size_t t = 0; t < n_tokens; ++t) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < cols; ++i)
      sum += x.q[t * x.stride + i] = static_cast<std::int8_t>(value(t, i));
    x.sum.push_back(sum);
    x.scale.push_back(0.5F + static_cast<float>(t));
  }
  return x;
}

}  // namespace bitnet::kernels
