#include "cli/options/builtin_model.h"

extern "C" {
extern const std::byte bitnet_builtin_model_begin[];
extern const std::byte bitnet_builtin_model_end[];
}

namespace bitnet::cli {

std::span<const std::byte> builtin_model() { return {bitnet_builtin_model_begin, bitnet_builtin_model_end}; }

}  // namespace bitnet::cli
