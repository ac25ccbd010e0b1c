#include "support/parse_json.h"

namespace bitnet::test {

nlohmann::json parse_json(std::string_view text) { return nlohmann::json::parse(text); }

}  // namespace bitnet::test
