// JSON that anyone may have written, looked through before anything is built of it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitnet {

struct JsonLimits {
  std::size_t bytes = std::size_t{1} << 20;
  std::size_t values = std::size_t{1} << 16;  // keys too
  std::size_t depth = 32;
};

// Why `text` is no sound JSON object, as half a sentence: "is no JSON object". It is larger than the limits
// or nested deeper, no JSON, no object, or has a key twice in one object. Empty for one that is sound.
std::string json_object_fault(std::string_view text, const JsonLimits& limits = {});

}  // namespace bitnet
