#include "convert/huggingface/json_file.h"

#include "base/mapped_file.h"
#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::convert {

Json parse_object(std::string_view text, const std::string& shown, const JsonLimits& limits) {
  const std::string fault = json_object_fault(text, limits);
  if (!fault.empty()) throw ModelError(shown, fault, "it is damaged: download it again");
  return Json::parse(text);
}

Json read_object(const std::string& path, const JsonLimits& limits) {
  const MappedFile file(path);
  return parse_object({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()},
                      printable(path, kMaxPrintedPath), limits);
}

}  // namespace bitnet::convert
