// JSON held against a JSON Schema (draft 7).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace bitnet::test {

// tests/data/schemas/NAME.json.
nlohmann::json load_schema(const std::string& name);

// What is wrong with it, a line for each violation; empty: nothing.
std::string violations(const nlohmann::json& schema, const nlohmann::json& json);

// How a real output and tests/data/schemas/NAME.json do not fit: what the output violates, and the places in
// it that could be missing or of another type and violate nothing. A line each; of the objects in an array,
// one of each form is looked at.
std::string misfits(const std::string& name, const nlohmann::json& json);

}  // namespace bitnet::test
