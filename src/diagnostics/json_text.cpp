#include "diagnostics/json_text.h"

#include <cmath>

#include "bitnet/version.h"
#include "tokenizer/utf8.h"

namespace bitnet {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string array_in_lines(const Json& array) {
  std::string text = "[";
  for (const Json& element : array) text += (text.size() == 1 ? "\n    " : ",\n    ") + element.dump();
  return text + "\n  ]";
}

}  // namespace

Json schema_json(std::string_view schema, int version) {
  return {{"schema", schema},
          {"version", version},
          {"program", "bitnet " + std::string(bitnet::version())},
          {"commit", commit()}};
}

std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex += kHexDigits[static_cast<unsigned char>(c) >> 4U];
    hex += kHexDigits[static_cast<unsigned char>(c) & 15U];
  }
  return hex;
}

Json text_json(std::string_view bytes) { return is_utf8(bytes) ? Json(bytes) : Json(); }

Json argument_json(std::string_view bytes) {
  return is_utf8(bytes) ? Json(bytes) : Json{{"bytes", hex_of(bytes)}};
}

Json number_json(double value) { return std::isfinite(value) ? Json(value) : Json(); }

std::string in_lines(const Json& object) {
  std::string text = "{";
  for (const auto& [name, value] : object.items()) {
    const bool holds_objects = value.is_array() && !value.empty() && value.front().is_object();
    text += (text.size() == 1 ? "\n  " : ",\n  ") + Json(name).dump() + ": ";
    text += holds_objects ? array_in_lines(value) : value.dump();
  }
  return text + "\n}\n";
}

}  // namespace bitnet
