// Each kernel of each backend at the shapes of BitNet-b1.58-2B-4T, its rate beside the machine's limit: GB/s
// of streamed weights against a measured read bandwidth, GMAC/s against a measured peak of 8-bit products.
// One thread.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/half.h"
#include "diagnostics/machine_limits.h"
#include "kernels/kernels.h"
#include "kernels/screen.h"
#include "model/activations.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "quant/lanes.h"

namespace bitnet::bench {
namespace {

using kernels::Kernels;

constexpr std::size_t kHidden = 2560;
constexpr std::size_t kFfn = 6912;
constexpr std::size_t kStreamed = std::size_t{512} << 20;  // larger than any cache

std::mt19937 g_rng(1);

std::vector<float> random_row(std::size_t n) {
  std::normal_distribution<float> normal;
  std::vector<float> v(n);
  for (float& x : v) x = normal(g_rng);
  return v;
}

// Bytes of four codes 0..2 each, so much of them that they don't fit a cache.
const Buffer<std::uint8_t>& ternary_bytes() {
  static const Buffer<std::uint8_t> bytes = [] {
    Buffer<std::uint8_t> b(kStreamed + 4096, "the benchmark's weights");
    std::uint8_t pool[81];
    for (unsigned i = 0; i < 81; ++i) {
      pool[i] = static_cast<std::uint8_t>(i % 3 | i / 3 % 3 << 2 | i / 9 % 3 << 4 | i / 27 % 3 << 6);
    }
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = pool[(i * 2654435761U >> 7) % 81];
    return b;
  }();
  return bytes;
}

double bandwidth() {
  static const double value = read_bandwidth(std::as_bytes(ternary_bytes().span()), 1);
  return value;
}
double peak(const Kernels& k) {
  static std::map<std::string_view, double> values;
  const auto [at, is_new] = values.try_emplace(k.name, 0);
  if (is_new) at->second = int8_peak(k.name, 1);
  return at->second;
}

void report_bytes(benchmark::State& state, std::size_t bytes_per_iteration) {
  const double total = static_cast<double>(bytes_per_iteration) * static_cast<double>(state.iterations());
  state.counters["GB/s"] = benchmark::Counter(total / 1e9, benchmark::Counter::kIsRate);
  state.counters["of_bandwidth"] = benchmark::Counter(total / bandwidth(), benchmark::Counter::kIsRate);
}
void report_macs(benchmark::State& state, const Kernels& k, std::size_t macs_per_iteration) {
  const double total = static_cast<double>(macs_per_iteration) * static_cast<double>(state.iterations());
  state.counters["GMAC/s"] = benchmark::Counter(total / 1e9, benchmark::Counter::kIsRate);
  if (peak(k) > 0)
    state.counters["of_int8_peak"] = benchmark::Counter(total / peak(k), benchmark::Counter::kIsRate);
}

struct Activations {
  Activations(const Kernels& k, std::size_t n_tokens, std::size_t n)
      : stride(n), q(n_tokens * n, "q"), scale(n_tokens), sum(n_tokens) {
    const auto x = random_row(n);
    for (std::size_t t = 0; t < n_tokens; ++t)
      k.quantize(x.data(), n, n, q.data() + t * n, &scale[t], &sum[t]);
  }
  kernels::QuantizedRows rows() const { return {q.data(), scale.data(), sum.data(), stride}; }
  std::size_t stride;
  Buffer<std::int8_t> q;
  std::vector<float> scale;
  std::vector<std::int32_t> sum;
};

// One token through weights that come from memory: what decoding is made of.
void ternary_gemv(benchmark::State& state, const Kernels& k, std::size_t cols) {
  const std::size_t rows = kStreamed / (cols / 4) / 64 * 64;
  const quant::Matrix w{quant::TensorType::i2_s, rows, cols, std::as_bytes(ternary_bytes().span()).data(),
                        1.0F};
  const Activations x(k, 1, cols);
  std::vector<float> y(rows);
  constexpr std::size_t kPart = 4096;
  std::size_t row = 0;
  for (auto _ : state) {
    k.matmul_ternary(w, row, row + kPart, x.rows(), 1, {y.data(), rows});
    row = row + 2 * kPart <= rows ? row + kPart : 0;
  }
  report_bytes(state, kPart * cols / 4);
  report_macs(state, k, kPart * cols);
}

// In lanes, with a scale for each 128 columns; the bytes of codes serve as scales too. Activations as
// the engine holds them.
struct LaneProduct {
  LaneProduct(const Kernels& kernels, std::size_t rows, std::size_t cols, std::size_t n_tokens,
              std::size_t block)
      : k(kernels),
        w{quant::TensorType::lanes,       rows, cols, std::as_bytes(ternary_bytes().span()).data(), 1.0F,
          {quant::Codebook::ternary, 128}},
        x(n_tokens, cols, {.has_lanes = true, .block = block}),
        n(n_tokens),
        y(n_tokens * rows) {
    for (std::size_t t = 0; t < n; ++t) {
      std::ranges::copy(random_row(cols), x.row(t));
      x.quantize(k, x.row(t), t);
    }
  }
  void multiply(std::size_t begin, std::size_t end) {
    k.matmul_lanes(w, begin, end, x.blocks(0), n, {y.data(), w.rows});
  }
  const Kernels& k;
  quant::Matrix w;
  ProductInput x;
  std::size_t n;
  std::vector<float> y;
};

void lanes_gemv(benchmark::State& state, const Kernels& k, std::size_t cols, std::size_t block) {
  constexpr std::size_t kPart = 4096;
  const std::size_t group_bytes = quant::lanes::group_bytes({quant::Codebook::ternary, 128}, cols);
  const std::size_t rows = kStreamed / group_bytes * quant::lanes::kRows / kPart * kPart;
  LaneProduct product(k, rows, cols, 1, block);
  std::size_t row = 0;
  for (auto _ : state) {
    product.multiply(row, row + kPart);
    row = (row + kPart) % rows;
  }
  report_bytes(state, kPart / quant::lanes::kRows * group_bytes);
  report_macs(state, k, kPart * cols);
}

void lanes_gemm(benchmark::State& state, const Kernels& k, std::size_t cols, std::size_t n_tokens,
                std::size_t block) {
  constexpr std::size_t kRows = 240;  // whole tiles of every backend
  LaneProduct product(k, kRows, cols, n_tokens, block);
  for (auto _ : state) product.multiply(0, kRows);
  report_macs(state, k, kRows * cols * n_tokens);
}

// A few tokens through weights that come from memory: a draft, or some sequences.
void ternary_few(benchmark::State& state, const Kernels& k, std::size_t cols, std::size_t n_tokens) {
  const std::size_t rows = kStreamed / (cols / 4) / 64 * 64;
  const quant::Matrix w{quant::TensorType::i2_s, rows, cols, std::as_bytes(ternary_bytes().span()).data(),
                        1.0F};
  const Activations x(k, n_tokens, cols);
  constexpr std::size_t kPart = 960;
  std::vector<float> y(rows * n_tokens);
  std::size_t row = 0;
  for (auto _ : state) {
    k.matmul_ternary(w, row, row + kPart, x.rows(), n_tokens, {y.data(), rows});
    row = row + 2 * kPart <= rows ? row + kPart : 0;
  }
  report_bytes(state, kPart * cols / 4);
  report_macs(state, k, kPart * cols * n_tokens);
}

// Many tokens through a slice of weights: what prefill is made of.
void ternary_gemm(benchmark::State& state, const Kernels& k, std::size_t cols, std::size_t n_tokens) {
  constexpr std::size_t kRows = 256;
  const quant::Matrix w{quant::TensorType::i2_s, kRows, cols, std::as_bytes(ternary_bytes().span()).data(),
                        1.0F};
  const Activations x(k, n_tokens, cols);
  std::vector<float> y(kRows * n_tokens);
  for (auto _ : state) k.matmul_ternary(w, 0, kRows, x.rows(), n_tokens, {y.data(), kRows});
  report_macs(state, k, kRows * cols * n_tokens);
}

// Tokens through a head that is stored in this type, whatever the bytes stand for: the code 3 is not among
// them, so no f16 has an exponent of ones, and all scales are finite.
void head(benchmark::State& state, const Kernels& k, quant::TensorType type, std::size_t n_tokens) {
  const std::size_t row_bytes = quant::info(type).n_bytes(1, kHidden);
  const std::size_t rows = kStreamed / row_bytes;
  const quant::Matrix w{type, rows, kHidden, std::as_bytes(ternary_bytes().span()).data(), 1.0F};
  const auto x = random_row(n_tokens * kHidden);
  std::vector<float> y(n_tokens * rows);
  constexpr std::size_t kPart = 1024;
  std::size_t row = 0;
  for (auto _ : state) {
    k.matmul_float(w, row, row + kPart, {x.data(), kHidden}, n_tokens, {y.data(), rows});
    row = row + 2 * kPart <= rows ? row + kPart : 0;
  }
  report_bytes(state, kPart * row_bytes);
}

// What a search for the best logits reads of every row; any bytes will do.
struct Screened {
  Screened() {
    const std::size_t n_blocks = (kHidden + kernels::kScreenBlock - 1) / kernels::kScreenBlock;
    const auto plane = [&](std::size_t block_bytes) {
      const kernels::Plane p{const_cast<std::uint8_t*>(ternary_bytes().data()) + at, n_blocks * block_bytes};
      at += rows * p.row_bytes;
      return p;
    };
    rows = kStreamed / (n_blocks * (kernels::kUpperBytes + kernels::kBitPlanes * kernels::kBitBytes));
    planes.upper = plane(kernels::kUpperBytes);
    for (kernels::Plane& bits : planes.bits) bits = plane(kernels::kBitBytes);
    digits.resize(n_blocks * kernels::kScreenBlock, 3);
  }

  kernels::Planes planes;
  std::size_t rows = 0;
  std::vector<std::int8_t> digits;
  std::size_t at = 0;
};

// One token has two kinds of digits; several together may have one each.
void screen(benchmark::State& state, const Kernels& k, std::size_t n_bit_planes, std::size_t n_digits) {
  const Screened s;
  constexpr std::size_t kPart = 256;
  std::vector<float> sums(n_digits * kPart);
  std::vector<kernels::DigitProduct> products;
  for (std::size_t i = 0; i < n_digits; ++i) products.push_back({s.digits.data(), sums.data() + i * kPart});
  std::size_t row = 0;
  for (auto _ : state) {
    if (n_bit_planes == 0) {
      k.upper_products(s.planes.upper, row, row + kPart, products);
    } else if (n_bit_planes == 1) {
      k.five_bit_products(s.planes, row, row + kPart, products);
    } else {
      k.seven_bit_products(s.planes, row, row + kPart, products);
    }
    benchmark::DoNotOptimize(sums.data());
    row = row + 2 * kPart <= s.rows ? row + kPart : 0;
  }
  report_bytes(state, kPart * (s.planes.upper.row_bytes + n_bit_planes * s.planes.bits[0].row_bytes));
}

// A row of the head to the planes.
void screen_row(benchmark::State& state, const Kernels& k) {
  const std::size_t n_blocks = (kHidden + kernels::kScreenBlock - 1) / kernels::kScreenBlock;
  const auto row = random_row(kHidden);
  std::vector<float> values(kHidden);
  std::vector<std::uint8_t> codes(n_blocks * kernels::kScreenBlock);
  std::vector<std::uint8_t> upper(n_blocks * kernels::kUpperBytes);
  std::array<std::vector<std::uint8_t>, kernels::kBitPlanes> bits;
  kernels::Planes planes{{upper.data(), upper.size()}, {}};
  for (std::size_t i = 0; i < bits.size(); ++i) {
    bits[i].resize(n_blocks * kernels::kBitBytes);
    planes.bits[i] = {bits[i].data(), bits[i].size()};
  }
  kernels::RowBounds bounds{};
  for (auto _ : state) {
    std::ranges::copy(row, values.begin());
    k.screen_row(values.data(), kHidden, 0, codes.data(), planes, &bounds);
    benchmark::DoNotOptimize(bounds);
  }
}

// The last n_tokens of n_keys, one kv head of four queries.
void attention(benchmark::State& state, const Kernels& k, kernels::CacheType type, std::size_t n_keys,
               std::size_t n_tokens) {
  constexpr std::size_t kHeadDim = 128;
  constexpr std::size_t kQueries = 4;
  Config config;
  config.n_layers = config.n_kv_heads = 1;
  config.head_dim = kHeadDim;
  const KvCache cache(config, n_keys, type);
  const auto q = random_row(n_tokens * kQueries * kHeadDim);
  const auto row = random_row(kHeadDim);
  for (std::size_t j = 0; j < n_keys; ++j) {
    cache.store_key(k, 0, 0, j, row.data());
    cache.store_value(k, 0, 0, j, row.data());
  }
  std::vector<float> out(q.size());
  for (auto _ : state) {
    k.attention(type)({.q = q.data(),
                       .k = cache.keys(0, 0),
                       .v = cache.values(0, 0),
                       .n_queries = kQueries,
                       .n_keys = n_keys - n_tokens + 1,
                       .head_dim = kHeadDim,
                       .scale = 0.088F,
                       .out = out.data(),
                       .block_stride = cache.block_stride(),
                       .n_tokens = n_tokens,
                       .token_stride = kQueries * kHeadDim});
    benchmark::DoNotOptimize(out.data());
  }
  report_bytes(state, n_keys * cache.bytes_per_position());
  const std::size_t seen = n_tokens * n_keys - n_tokens * (n_tokens - 1) / 2;
  state.counters["GMAC/s"] = benchmark::Counter(
      static_cast<double>(2 * kQueries * kHeadDim * seen) * static_cast<double>(state.iterations()) / 1e9,
      benchmark::Counter::kIsRate);
}

// As a model has them: no layer's keys and values are in a cache when their turn comes, and a head's blocks
// lie apart.
void attention_of_model(benchmark::State& state, const Kernels& k, kernels::CacheType type,
                        std::size_t n_keys) {
  constexpr std::size_t kQueries = 4;
  Config config;
  config.n_layers = 30;
  config.n_kv_heads = 5;
  config.head_dim = 128;
  const KvCache cache(config, n_keys, type);
  const auto q = random_row(kQueries * config.head_dim);
  const auto row = random_row(config.head_dim);
  const auto for_heads = [&](auto work) {
    for (std::size_t layer = 0; layer < config.n_layers; ++layer) {
      for (std::size_t head = 0; head < config.n_kv_heads; ++head) work(layer, head);
    }
  };
  for_heads([&](std::size_t layer, std::size_t head) {
    for (std::size_t j = 0; j < n_keys; ++j) {
      cache.store_key(k, layer, head, j, row.data());
      cache.store_value(k, layer, head, j, row.data());
    }
  });
  std::vector<float> out(q.size());
  for (auto _ : state) {
    for_heads([&](std::size_t layer, std::size_t head) {
      k.attention(type)({.q = q.data(),
                         .k = cache.keys(layer, head),
                         .v = cache.values(layer, head),
                         .n_queries = kQueries,
                         .n_keys = n_keys,
                         .head_dim = config.head_dim,
                         .scale = 0.088F,
                         .out = out.data(),
                         .block_stride = cache.block_stride(),
                         .n_tokens = 1,
                         .token_stride = kQueries * config.head_dim});
    });
    benchmark::DoNotOptimize(out.data());
  }
  report_bytes(state, n_keys * cache.bytes_per_position());
}

void row_kernel(benchmark::State& state, std::size_t n,
                const std::function<void(const float*, float*)>& kernel) {
  const auto x = random_row(n);
  std::vector<float> y(n);
  for (auto _ : state) {
    std::copy(x.begin(), x.end(), y.begin());  // kernels that work in place would soon reach denormals
    kernel(x.data(), y.data());
    benchmark::DoNotOptimize(y.data());
  }
  state.counters["Gvalue/s"] = benchmark::Counter(
      static_cast<double>(n) * static_cast<double>(state.iterations()) / 1e9, benchmark::Counter::kIsRate);
}

// Codes to floats: what unquantized activations need.
void decode_ternary(benchmark::State& state, const Kernels& k) {
  const quant::Matrix w{quant::TensorType::i2_s, 16, kFfn, std::as_bytes(ternary_bytes().span()).data(),
                        1.0F};
  std::vector<float> out(kFfn);
  std::size_t row = 0;
  for (auto _ : state) {
    k.decode_ternary(w, row++ % 16, 0, kFfn, out.data());
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["Gvalue/s"] = benchmark::Counter(
      static_cast<double>(kFfn) * static_cast<double>(state.iterations()) / 1e9, benchmark::Counter::kIsRate);
}

void ternary_f32(benchmark::State& state, const Kernels& k, std::size_t n_tokens) {
  constexpr std::size_t kRows = 64;
  const quant::Matrix w{quant::TensorType::i2_s, kRows, kHidden, std::as_bytes(ternary_bytes().span()).data(),
                        1.0F};
  const auto x = random_row(kHidden * n_tokens);
  std::vector<float> y(kRows * n_tokens);
  for (auto _ : state) k.matmul_ternary_f32(w, 0, kRows, {x.data(), kHidden}, n_tokens, {y.data(), kRows});
  state.counters["GMAC/s"] = benchmark::Counter(
      static_cast<double>(kRows * kHidden * n_tokens) * static_cast<double>(state.iterations()) / 1e9,
      benchmark::Counter::kIsRate);
}

void add_benchmarks(const Kernels& k) {
  const std::string prefix = std::string(k.name) + "/";
  const auto add = [&](const std::string& name, auto body) {
    benchmark::RegisterBenchmark((prefix + name).c_str(), body)->Unit(benchmark::kMicrosecond);
  };
  for (const std::size_t cols : {kHidden, kFfn}) {
    const std::string shape = "/cols:" + std::to_string(cols);
    add("ternary_gemv" + shape, [&k, cols](benchmark::State& s) { ternary_gemv(s, k, cols); });
    for (const std::size_t n : {2U, 3U, 4U, 5U, 6U, 8U, 12U, 16U, 24U, 32U, 64U, 128U}) {
      add("ternary_few" + shape + "/tokens:" + std::to_string(n),
          [&k, cols, n](benchmark::State& s) { ternary_few(s, k, cols, n); });
    }
    for (const std::size_t n : {std::size_t{8}, std::size_t{128}, std::size_t{512}}) {
      add("ternary_gemm" + shape + "/tokens:" + std::to_string(n),
          [&k, cols, n](benchmark::State& s) { ternary_gemm(s, k, cols, n); });
    }
  }
  for (const std::size_t block : {std::size_t{32}, std::size_t{128}}) {
    const std::string shape = "/cols:4096/block:" + std::to_string(block);
    add("lanes_gemv" + shape, [&k, block](benchmark::State& s) { lanes_gemv(s, k, 4096, block); });
    for (const std::size_t n : {4U, 8U, 128U}) {
      add("lanes_gemm" + shape + "/tokens:" + std::to_string(n),
          [&k, n, block](benchmark::State& s) { lanes_gemm(s, k, 4096, n, block); });
    }
  }
  add("decode_ternary", [&k](benchmark::State& s) { decode_ternary(s, k); });
  for (const std::size_t n : {std::size_t{1}, std::size_t{16}}) {
    add("ternary_f32/tokens:" + std::to_string(n), [&k, n](benchmark::State& s) { ternary_f32(s, k, n); });
  }
  for (const auto& [name, type] :
       {std::pair{"head_f16", quant::TensorType::f16}, std::pair{"head_f32", quant::TensorType::f32},
        std::pair{"head_q8_0", quant::TensorType::q8_0}, std::pair{"head_q6_k", quant::TensorType::q6_k},
        std::pair{"head_q4_k", quant::TensorType::q4_k}, std::pair{"head_q4_0", quant::TensorType::q4_0}}) {
    for (const std::size_t n : {1U, 2U, 4U, 8U}) {
      add(name + ("/tokens:" + std::to_string(n)),
          [&k, type, n](benchmark::State& s) { head(s, k, type, n); });
    }
  }
  for (const std::size_t n : {2U, 4U, 8U}) {
    const std::string digits = "/digits:" + std::to_string(n);
    add("screen/bits:4" + digits, [&k, n](benchmark::State& s) { screen(s, k, 0, n); });
    add("screen/bits:5" + digits, [&k, n](benchmark::State& s) { screen(s, k, 1, n); });
    if (k.seven_bit_products == nullptr) continue;
    add("screen/bits:7" + digits, [&k, n](benchmark::State& s) { screen(s, k, kernels::kBitPlanes, n); });
  }
  add("screen_row", [&k](benchmark::State& s) { screen_row(s, k); });
  for (const auto& [type, name] :
       {std::pair{kernels::CacheType::f16, "f16"}, std::pair{kernels::CacheType::f32, "f32"},
        std::pair{kernels::CacheType::q8, "q8"}}) {
    for (const std::size_t n : {std::size_t{64}, std::size_t{512}, std::size_t{4096}, std::size_t{1} << 17}) {
      add(std::string("attention/") + name + "/keys:" + std::to_string(n),
          [&k, type, n](benchmark::State& s) { attention(s, k, type, n, 1); });
    }
    add(std::string("attention/") + name + "/model/keys:3584",
        [&k, type](benchmark::State& s) { attention_of_model(s, k, type, 3584); });
    for (const std::size_t tokens : {std::size_t{2}, std::size_t{8}}) {
      add(std::string("attention/") + name + "/keys:512/tokens:" + std::to_string(tokens),
          [&k, type, tokens](benchmark::State& s) { attention(s, k, type, 512, tokens); });
    }
  }
  add("rms_norm", [&k](benchmark::State& s) {
    row_kernel(s, kHidden, [&k](const float* x, float* y) { k.rms_norm(x, x, 1e-5F, kHidden, y); });
  });
  add("relu2_mul", [&k](benchmark::State& s) {
    row_kernel(s, kFfn, [&k](const float* x, float* y) { k.relu2_mul(y, x, kFfn); });
  });
  add("silu_mul", [&k](benchmark::State& s) {
    row_kernel(s, kFfn, [&k](const float* x, float* y) { k.silu_mul(y, x, kFfn); });
  });
  add("exp", [&k](benchmark::State& s) {
    row_kernel(s, kFfn, [&k](const float* x, float* y) { k.exp(x, y, kFfn); });
  });
  add("quantize", [&k](benchmark::State& s) {
    std::vector<std::int8_t> q(kFfn);
    row_kernel(s, kFfn, [&](const float* x, float*) {
      float scale = 0;
      std::int32_t sum = 0;
      k.quantize(x, kFfn, kFfn, q.data(), &scale, &sum);
      benchmark::DoNotOptimize(q.data());
    });
  });
}

}  // namespace
}  // namespace bitnet::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("read_bandwidth_GB_s", std::to_string(bitnet::bench::bandwidth() / 1e9));
  for (const bitnet::kernels::Kernels* k : bitnet::kernels::available()) {
    benchmark::AddCustomContext("int8_peak_GMAC_s_" + std::string(k->name),
                                std::to_string(bitnet::bench::peak(*k) / 1e9));
    bitnet::bench::add_benchmarks(*k);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
