// Reads JSON: in one place, for a parser takes a second to compile.
#pragma once

#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string_view>

namespace bitnet::test {

// Throw nlohmann::json::parse_error.
nlohmann::json parse_json(std::string_view text);
nlohmann::json parse_json(std::istream& file);

}  // namespace bitnet::test
