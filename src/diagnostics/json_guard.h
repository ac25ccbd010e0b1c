// JSON that anyone may have written: what is built of it stays within limits.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bitnet {

struct JsonLimits {
  std::size_t bytes = std::size_t{1} << 20;
  std::size_t values = std::size_t{1} << 16;  // keys too
  std::size_t depth = 32;
};

// Why a text is no sound JSON object, as half a sentence: "is no JSON object".
class JsonFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Takes the entries of large objects or lists one by one as they are read, so that they are never built as
// JSON, which costs several times as much as reading them.
class JsonTaker {
 public:
  JsonTaker() = default;
  JsonTaker(const JsonTaker&) = delete;
  JsonTaker& operator=(const JsonTaker&) = delete;
  virtual ~JsonTaker() = default;

  // Whether to take the entries of the object, or list, that begins here: it is left empty then. `path`: the
  // keys that lead to it; what stands in a list has an empty one. Not asked inside of what is taken.
  virtual bool takes(std::span<const std::string> path, bool is_object) = 0;
  // Both may be moved from; the key is empty in a list. Keys may come twice.
  virtual void take(std::string& key, nlohmann::json& value) = 0;
};

// The object in `text`. Throws JsonFault where that is larger than the limits or nested deeper, no JSON, no
// object, or has a key twice in one object that is not taken.
nlohmann::json parse_json_object(std::string_view text, const JsonLimits& limits = {},
                                 JsonTaker* taker = nullptr);

}  // namespace bitnet
