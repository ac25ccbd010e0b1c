#include "cli/json_schema.h"

#include <set>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "support/parse_json.h"
#include "support/temp_directory.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;
using Place = Json::json_pointer;

class Schema {
 public:
  explicit Schema(const Json& json) {
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(json), parsed_);
  }

  std::string violations(const Json& json) const {
    valijson::ValidationResults results;
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    if (validator.validate(parsed_, Adapter(json), &results)) return "";
    std::string lines;
    for (valijson::ValidationResults::Error error; results.popError(error);) {
      for (const std::string& part : error.context) lines += part;
      lines += ": " + error.description + "\n";
    }
    return lines;
  }

 private:
  using Adapter = valijson::adapters::NlohmannJsonAdapter;
  valijson::Schema parsed_;
};

// The type of a value, and the names in it if it is an object.
std::string form_of(const Json& json) {
  std::string form = json.type_name();
  if (json.is_object()) {
    for (const auto& [name, value] : json.items()) form += " " + name;
  }
  return form;
}

void find_places(const Json& json, const Place& at, std::vector<Place>& places) {
  if (!at.empty()) places.push_back(at);
  std::set<std::string> seen;
  for (std::size_t i = 0; json.is_array() && i < json.size(); ++i) {
    if (seen.insert(form_of(json[i])).second) find_places(json[i], at / i, places);
  }
  if (!json.is_object()) return;
  for (const auto& [name, value] : json.items()) find_places(value, at / name, places);
}

}  // namespace

Json load_schema(const std::string& name) {
  return parse_json(content_of(BITNET_TEST_DATA "/schemas/" + name + ".json"));
}

std::string violations(const Json& schema, const Json& json) { return Schema(schema).violations(json); }

std::string misfits(const std::string& name, const Json& json) {
  const Schema schema(load_schema(name));
  std::string lines = schema.violations(json);
  std::vector<Place> places;
  find_places(json, Place(), places);
  for (const Place& place : places) {
    const auto is_noticed = [&](const auto& change) {
      Json changed = json;
      change(changed);
      return schema.violations(changed) != "";
    };
    const Json other = json.at(place).is_structured() ? Json(7.5) : Json{{"other", true}};
    if (!is_noticed([&](Json& j) { j.at(place) = other; })) lines += place.to_string() + " may be anything\n";
    if (!json.at(place.parent_pointer()).is_object()) continue;
    if (!is_noticed([&](Json& j) { j.at(place.parent_pointer()).erase(place.back()); })) {
      lines += place.to_string() + " may be missing\n";
    }
  }
  return lines;
}

}  // namespace bitnet::test
