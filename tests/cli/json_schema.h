// JSON held against a JSON Schema (draft 7).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace bitnet::test {

// tests/data/schemas/NAME.json.
nlohmann::json load_schema(const std::string& name);

// What is wrong with it, a line for each violation; empty: nothing.
std::string violations(const nlohmann::json& schema, const nlohmann::json& json);

}  // namespace bitnet::test
