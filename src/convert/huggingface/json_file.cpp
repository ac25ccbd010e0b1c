#include "convert/huggingface/json_file.h"

#include <algorithm>
#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::convert {
namespace {

// Looks at everything once and keeps nothing but the keys of the objects that are open.
class Inspector final : public nlohmann::json_sax<Json> {
 public:
  explicit Inspector(std::size_t max_values) : left_(max_values) {}

  const std::string& fault() const { return fault_; }
  bool is_object() const { return is_object_; }

  bool null() override { return count(); }
  bool boolean(bool /*value*/) override { return count(); }
  bool number_integer(number_integer_t /*value*/) override { return count(); }
  bool number_unsigned(number_unsigned_t /*value*/) override { return count(); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return count(); }
  bool string(string_t& /*value*/) override { return count(); }
  bool binary(binary_t& /*value*/) override { return count(); }
  bool start_object(std::size_t /*size*/) override {
    is_object_ = is_object_ || open_.empty();
    return open();
  }
  bool key(string_t& key) override {
    if (!open_.back().insert(key).second) {
      return refuse("the key '" + printable(key, kMaxPrintedName) + "' stands twice in one object");
    }
    return count();
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*size*/) override { return open(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& /*error*/) override {
    return refuse("is not JSON: byte " + std::to_string(position) + " is wrong");
  }

 private:
  bool refuse(std::string what) {
    fault_ = std::move(what);
    return false;
  }
  bool count() {
    if (left_ == 0) return refuse("holds more values than any such file");
    --left_;
    return true;
  }
  bool open() {
    if (open_.size() == kMaxJsonDepth) {
      return refuse("is nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
    }
    open_.emplace_back();
    return count();
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::size_t left_;
  bool is_object_ = false;
  std::vector<std::unordered_set<std::string>> open_;  // the keys of objects; of arrays none
  std::string fault_;
};

}  // namespace

Json parse_object(std::string_view text, const std::string& shown, const JsonLimits& limits) {
  constexpr std::string_view kHint = "it is damaged: download it again";
  if (text.size() > limits.bytes) {
    throw ModelError(shown, "is " + std::to_string(text.size()) + " bytes long; such files have at most " +
                                std::to_string(limits.bytes));
  }
  Inspector inspector(limits.values);
  if (!Json::sax_parse(text, &inspector)) throw ModelError(shown, inspector.fault(), kHint);
  if (!inspector.is_object()) throw ModelError(shown, "is no JSON object", kHint);
  return Json::parse(text);
}

Json read_object(const std::string& path, const JsonLimits& limits) {
  const MappedFile file(path);
  return parse_object({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()},
                      printable(path, kMaxPrintedPath), limits);
}

}  // namespace bitnet::convert
