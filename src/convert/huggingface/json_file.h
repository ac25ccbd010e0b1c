// JSON that a folder's files hold, which anyone may have written: depth, number of values and size are
// limited before anything is built of it, and no object may have a key twice.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace bitnet::convert {

using Json = nlohmann::json;

struct JsonLimits {
  std::size_t bytes = std::size_t{1} << 20;
  std::size_t values = std::size_t{1} << 16;  // keys too
};

inline constexpr std::size_t kMaxJsonDepth = 32;

// The object in `text`. `shown` names the file in messages. Throws ModelError for what is larger than the
// limits, nested deeper than kMaxJsonDepth, no JSON, no object, or has a key twice in one object.
Json parse_object(std::string_view text, const std::string& shown, const JsonLimits& limits = {});
// The same of a file. Throws ModelError too where it cannot be read.
Json read_object(const std::string& path, const JsonLimits& limits = {});

}  // namespace bitnet::convert
