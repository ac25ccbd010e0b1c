// JSON from anyone: limits, and entries that are taken one by one.
#include "diagnostics/json_guard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace bitnet::test {
namespace {

using nlohmann::json;

std::string fault_of(const std::string& text, const JsonLimits& limits = {}) {
  try {
    parse_json_object(text, limits);
  } catch (const JsonFault& fault) {
    return fault.what();
  }
  return "none";
}

TEST(JsonGuard, BuildsWhatTheLibraryBuilds) {
  for (const std::string text :
       {R"({})",
        R"({"a":null,"b":true,"c":[1,-2,3.5,"x",[],{}],"d":{"e":{"f":[[{"g":18446744073709551615}]]}}})",
        R"({"":"","a":[{"b":1},{"b":2}],"\u00e9":"\ud83d\ude00"})"}) {
    EXPECT_EQ(parse_json_object(text), json::parse(text)) << text;
  }
}

TEST(JsonGuard, SaysWhatIsWrong) {
  EXPECT_EQ(fault_of("[1]"), "is no JSON object");
  EXPECT_EQ(fault_of("3"), "is no JSON object");
  EXPECT_EQ(fault_of(R"({"a":1e999})"), "is not JSON that can be read: a number is too large");
  EXPECT_EQ(fault_of(R"({"a":[{"b":1,"b":2}]})"), "the key 'b' stands twice in one object");
  for (const std::string text :
       {"", "{", "{\"a\"}", "{\"a\":1}}", "{\"a\":\"\xFF\"}", "{\"a\":01}", "{'a':1}"}) {
    EXPECT_TRUE(fault_of(text).starts_with("is not JSON: byte ")) << text << ": " << fault_of(text);
  }
}

TEST(JsonGuard, HoldsToItsLimits) {
  EXPECT_EQ(fault_of(R"({"a":[1]})", {.depth = 2}), "none");
  EXPECT_EQ(fault_of(R"({"a":[[]]})", {.depth = 2}), "is nested deeper than 2 levels");
  // The object, a key, the list and a number.
  EXPECT_EQ(fault_of(R"({"a":[1]})", {.values = 4}), "none");
  EXPECT_EQ(fault_of(R"({"a":[1,2]})", {.values = 4}), "holds more than 4 values");
  EXPECT_EQ(fault_of(R"({"a":1,"b":1})", {.values = 4}), "holds more than 4 values");
  EXPECT_EQ(fault_of("{} ", {.bytes = 2}), "is 3 bytes long, more than the 2 that are read");
}

// Takes the lists and objects under these paths: "a/b".
class Taker : public JsonTaker {
 public:
  explicit Taker(std::vector<std::string> paths) : paths_(std::move(paths)) {}

  bool takes(std::span<const std::string> path, bool is_object) override {
    std::string joined;
    for (const std::string& key : path) joined.append(joined.empty() ? "" : "/").append(key);
    asked.emplace_back(joined, is_object);
    return std::ranges::find(paths_, joined) != paths_.end();
  }
  void take(std::string& key, json& value) override { taken.emplace_back(std::move(key), std::move(value)); }

  std::vector<std::pair<std::string, bool>> asked;
  std::vector<std::pair<std::string, json>> taken;

 private:
  std::vector<std::string> paths_;
};

TEST(JsonGuard, HandsOverEntriesOfWhatIsTaken) {
  Taker taker({"m/o", "m/l"});
  const json rest = parse_json_object(
      R"({"m":{"a":[0],"o":{"x":1,"y":{"z":[2]},"x":3},"l":["p",["q","r"],[]],"b":{"c":4}},"o":{"l":5}})", {},
      &taker);
  EXPECT_EQ(rest, json::parse(R"({"m":{"a":[0],"o":{},"l":[],"b":{"c":4}},"o":{"l":5}})"));
  const std::vector<std::pair<std::string, json>> want = {
      {"x", 1},           {"y", json::parse(R"({"z":[2]})")}, {"x", 3}, {"", "p"}, {"", {"q", "r"}},
      {"", json::array()}};
  EXPECT_EQ(taker.taken, want);
  const std::vector<std::pair<std::string, bool>> asked = {
      {"", true}, {"m", true}, {"m/a", false}, {"m/o", true}, {"m/l", false}, {"m/b", true}, {"o", true}};
  EXPECT_EQ(taker.asked, asked) << "and inside of what is taken nothing";
}

TEST(JsonGuard, TellsListsInListsByEmptyKeys) {
  Taker taker({"a/"});
  const json rest = parse_json_object(R"({"a":[[1],2,[3]],"b":[4]})", {}, &taker);
  EXPECT_EQ(rest, json::parse(R"({"a":[[],2,[]],"b":[4]})"));
  EXPECT_EQ(taker.taken, (std::vector<std::pair<std::string, json>>{{"", 1}, {"", 3}}));
}

TEST(JsonGuard, CountsWhatIsTakenToo) {
  Taker taker({"a"});
  EXPECT_THROW(parse_json_object(R"({"a":[1,2,3]})", {.values = 5}, &taker), JsonFault);
  EXPECT_EQ(taker.taken.size(), 2U);
  Taker deep({"a"});
  EXPECT_THROW(parse_json_object(R"({"a":[[[]]]})", {.depth = 3}, &deep), JsonFault);
  Taker twice({"a"});
  EXPECT_THROW(parse_json_object(R"({"a":[{"b":1,"b":1}]})", {}, &twice), JsonFault);
}

}  // namespace
}  // namespace bitnet::test
