#include "diagnostics/json_guard.h"

#include <string>
#include <unordered_set>
#include <vector>

#include "base/printable.h"

namespace bitnet {
namespace {

using JsonEvent = nlohmann::json::parse_event_t;

// Is shown everything in its order, before more is built.
class JsonInspector {
 public:
  explicit JsonInspector(const JsonLimits& limits) : limits_(limits), n_left_(limits.values) {}

  void see(JsonEvent event, const nlohmann::json& seen) {
    switch (event) {
      case JsonEvent::object_start:
      case JsonEvent::array_start:
        if (open_.size() == limits_.depth) {
          throw JsonFault("is nested deeper than " + std::to_string(limits_.depth) + " levels");
        }
        open_.emplace_back();
        break;
      case JsonEvent::object_end:
      case JsonEvent::array_end:
        open_.pop_back();
        return;
      case JsonEvent::key:
        see_key(seen.get_ref<const std::string&>());
        break;
      case JsonEvent::value:
        break;
    }
    if (n_left_ == 0) throw JsonFault("holds more than " + std::to_string(limits_.values) + " values");
    --n_left_;
  }

 private:
  void see_key(const std::string& key) {
    if (open_.back().insert(key).second) return;
    throw JsonFault("the key '" + printable(key, kMaxPrintedName) + "' stands twice in one object");
  }

  JsonLimits limits_;
  std::size_t n_left_;                                 // values
  std::vector<std::unordered_set<std::string>> open_;  // the keys of objects; of arrays none
};

}  // namespace

nlohmann::json parse_json_object(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    throw JsonFault("is " + std::to_string(text.size()) + " bytes long, more than the " +
                    std::to_string(limits.bytes) + " that are read");
  }
  JsonInspector inspector(limits);
  try {
    nlohmann::json object =
        nlohmann::json::parse(text, [&](int /*depth*/, JsonEvent event, const nlohmann::json& seen) {
          inspector.see(event, seen);
          return true;
        });
    if (!object.is_object()) throw JsonFault("is no JSON object");
    return object;
  } catch (const nlohmann::json::parse_error& e) {
    throw JsonFault("is not JSON: byte " + std::to_string(e.byte) + " is wrong");
  } catch (const nlohmann::json::out_of_range&) {
    throw JsonFault("is not JSON that can be read: a number is too large");
  }
}

}  // namespace bitnet
