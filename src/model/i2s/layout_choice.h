// In which layout a file's I2_S tensors are taken to be, and why.
#pragma once

#include <cstdint>
#include <optional>

#include "bitnet/model.h"
#include "gguf/gguf.h"
#include "model/i2s/layout_judge.h"
#include "model/weights.h"

namespace bitnet {

class ThreadPool;

// A metadata key of our own, "x86", "arm" or "rows4": whoever writes I2_S knows which.
inline constexpr std::string_view kI2sLayoutKey = "ternary.i2_s.layout";

// What LayoutJudge said of a file, to be remembered.
enum class LayoutVerdict : std::uint8_t { unknown, x86, arm, rows4 };

struct LayoutChoice {
  I2sInfo info;
  std::optional<LayoutVerdict> verdict;  // of a judge, now or earlier; nullopt: none was needed
};

// By `asked`, the file's key, or a judge, whose earlier verdict may be given; x86 where that cannot tell. The
// weights are as they lie in the file, and sound. gives_back: what was looked at leaves memory again. Throws
// ModelError for a key with another value.
LayoutChoice choose_i2s_layout(const gguf::File& file, const Weights& weights, std::optional<I2sLayout> asked,
                               std::optional<LayoutVerdict> earlier, ThreadPool& pool,
                               bool gives_back = false);

}  // namespace bitnet
