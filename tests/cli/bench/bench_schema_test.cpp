// bitnet bench -o json against its schema, tests/data/schemas/bench.json.
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "cli/json_schema.h"
#include "cli/runner.h"
#include "support/parse_json.h"

namespace bitnet::test {
namespace {

using Json = nlohmann::json;

const Json& schema() {
  static const Json json = load_schema("bench");
  return json;
}

const Json& run() {
  static const Json json =
      parse_json(text_of({"bench", "--synthetic", "tiny", "-p", "4", "-n", "2", "-d", "0,3", "-r", "2", "-t",
                          "1", "--backend", "auto,scalar", "-o", "json"}));
  return json;
}

TEST(BenchSchema, HoldsForWhatIsPrinted) {
  EXPECT_EQ(violations(schema(), run()), "");
  const Json profiled = parse_json(text_of(
      {"bench", "--synthetic", "tiny", "-p", "4", "-n", "2", "-r", "1", "--profile", "-q", "-o", "json"}));
  EXPECT_TRUE(profiled.at("results").at(0).contains("profile"));
  EXPECT_EQ(violations(schema(), profiled), "");
}

TEST(BenchSchema, NamesEveryFieldOfARow) {
  const Json& known = schema().at("definitions").at("result").at("properties");
  for (const Json& row : run().at("results")) {
    for (const auto& [name, value] : row.items()) EXPECT_TRUE(known.contains(name)) << name;
  }
}

TEST(BenchSchema, IsBrokenByWhatBreaksAReader) {
  const auto breaks = [](const std::function<void(Json&)>& change) {
    Json changed = run();
    change(changed);
    return violations(schema(), changed) != "";
  };
  EXPECT_FALSE(breaks([](Json&) {}));
  EXPECT_FALSE(breaks([](Json& r) { r.at("results").at(0)["more"] = 1; }));
  EXPECT_TRUE(breaks([](Json& r) { r.at("schema") = "bitnet.other"; }));
  EXPECT_TRUE(breaks([](Json& r) { r.at("version") = 2; }));
  EXPECT_TRUE(breaks([](Json& r) { r.at("results") = Json::array(); }));
  EXPECT_TRUE(breaks([](Json& r) { r.at("machine").erase("limits"); }));
  EXPECT_TRUE(breaks([](Json& r) { r.at("results").at(1).at("kind") = "prefill"; }));
  for (const auto& [name, value] : run().at("results").at(0).items()) {
    const std::string field = name;
    EXPECT_TRUE(breaks([&](Json& r) { r.at("results").at(0).erase(field); })) << field;
    EXPECT_TRUE(breaks([&](Json& r) { r.at("results").at(0).at(field) = Json::object(); })) << field;
  }
}

}  // namespace
}  // namespace bitnet::test
