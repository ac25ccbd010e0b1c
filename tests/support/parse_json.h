// Reads JSON: in one place, for a parser takes a second to compile.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace bitnet::test {

// Throws nlohmann::json::parse_error.
nlohmann::json parse_json(std::string_view text);

}  // namespace bitnet::test
