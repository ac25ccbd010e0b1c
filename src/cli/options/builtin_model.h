// The model compiled into the executable: models/canary.gguf.
#pragma once

#include <cstddef>
#include <span>

namespace bitnet::cli {

inline constexpr const char* kBuiltinModelName = "built-in canary";

std::span<const std::byte> builtin_model();  // aligned to 64

}  // namespace bitnet::cli
