#include "support/parse_json.h"

#include <istream>
#include <iterator>
#include <string>

namespace bitnet::test {

nlohmann::json parse_json(std::string_view text) { return nlohmann::json::parse(text); }

nlohmann::json parse_json(std::istream& file) {
  return parse_json(std::string(std::istreambuf_iterator<char>(file), {}));
}

}  // namespace bitnet::test
