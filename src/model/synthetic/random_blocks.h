// Random weights in every type that files of ternary models hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/tensor_type.h"

namespace bitnet {

using SyntheticRandom =
    std::mt19937_64;  // the standard fixes its bits; it doesn't fix those of its distributions

// What blocks of one tensor are drawn with, made once for it.
class BlockSource {
 public:
  // deviation: of the weights. Without normals the last two functions have nothing to give.
  BlockSource(std::uint64_t seed, float deviation, bool with_normals);

  float deviation() const { return deviation_; }
  // A sample of N(0, deviation).
  float normal(std::uint64_t bits) const { return normals_[bits % kNormals]; }
  std::uint16_t normal_f16(std::uint64_t bits) const { return f16_[bits % kNormals]; }

 private:
  static constexpr std::size_t kNormals = 4096;  // 24 KB: they stay in the first cache
  float deviation_;
  std::vector<float> normals_;
  std::vector<std::uint16_t> f16_;
};

struct SyntheticType {
  std::string_view name;  // "q2_0"
  quant::TensorType type;
  // Fills n blocks, whose weights have the source's deviation. Of ternary ones each code is equally likely.
  void (*fill)(std::byte* data, std::size_t n, const BlockSource& source, SyntheticRandom& random);
  bool draws_normals = false;
  std::size_t drawn_at_once = 1;  // blocks of the type, which count as one here

  std::uint32_t id() const { return quant::info(type).id; }                      // in the file
  std::size_t block() const { return quant::info(type).block * drawn_at_once; }  // elements
  std::size_t block_bytes() const {
    return static_cast<std::size_t>(quant::info(type).n_bytes(1, block())) - tail_bytes();
  }
  // Of the whole tensor, behind its blocks: the scale of I2_S.
  std::size_t tail_bytes() const { return static_cast<std::size_t>(quant::info(type).n_bytes(0, block())); }
};

std::span<const SyntheticType> synthetic_types();
const SyntheticType* find_synthetic_type(std::string_view name);
std::string synthetic_type_names();

// Scale of ternary weights with this deviation, two of three of which count.
float ternary_scale(float deviation);

}  // namespace bitnet
