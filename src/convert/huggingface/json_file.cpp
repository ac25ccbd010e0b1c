#include "convert/huggingface/json_file.h"

#include "base/mapped_file.h"
#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::convert {

Json parse_object(std::string_view text, const std::string& shown, const JsonLimits& limits,
                  JsonTaker* taker) {
  try {
    return parse_json_object(text, limits, taker);
  } catch (const JsonFault& fault) {
    throw ModelError(shown, fault.what(), "it is damaged: download it again");
  }
}

Json read_object(const std::string& path, const JsonLimits& limits, JsonTaker* taker) {
  const MappedFile file(path);
  return parse_object({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()},
                      printable(path, kMaxPrintedPath), limits, taker);
}

std::string text_at(const Json& object, const char* field) {
  const auto at = object.find(field);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

bool flag_at(const Json& object, const char* field, bool otherwise) {
  const auto at = object.find(field);
  return at != object.end() && at->is_boolean() ? at->get<bool>() : otherwise;
}

}  // namespace bitnet::convert
