// JSON that anyone may have written: what is built of it stays within limits.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

namespace bitnet {

struct JsonLimits {
  std::size_t bytes = std::size_t{1} << 20;
  std::size_t values = std::size_t{1} << 16;  // keys too
  std::size_t depth = 32;
};

// Why a text is no sound JSON object, as half a sentence: "is no JSON object".
class JsonFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The object in `text`. Throws JsonFault where that is larger than the limits or nested deeper, no JSON, no
// object, or has a key twice in one object.
nlohmann::json parse_json_object(std::string_view text, const JsonLimits& limits = {});

}  // namespace bitnet
