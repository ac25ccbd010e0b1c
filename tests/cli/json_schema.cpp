#include "cli/json_schema.h"

#include <fstream>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace bitnet::test {

nlohmann::json load_schema(const std::string& name) {
  std::ifstream file(BITNET_TEST_DATA "/schemas/" + name + ".json");
  return nlohmann::json::parse(file);
}

std::string violations(const nlohmann::json& schema, const nlohmann::json& json) {
  using Adapter = valijson::adapters::NlohmannJsonAdapter;
  valijson::Schema parsed;
  valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(schema), parsed);
  valijson::ValidationResults results;
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  if (validator.validate(parsed, Adapter(json), &results)) return "";
  std::string lines;
  for (valijson::ValidationResults::Error error; results.popError(error);) {
    for (const std::string& part : error.context) lines += part;
    lines += ": " + error.description + "\n";
  }
  return lines;
}

}  // namespace bitnet::test
