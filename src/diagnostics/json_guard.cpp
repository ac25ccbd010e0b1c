#include "diagnostics/json_guard.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/printable.h"

namespace bitnet {
namespace {

// Looks at everything once and keeps nothing but the keys of the objects that are open.
class JsonInspector final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit JsonInspector(const JsonLimits& limits) : limits_(limits), n_left_(limits.values) {}

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
    if (n_left_ == 0) return refuse("holds more than " + std::to_string(limits_.values) + " values");
    --n_left_;
    return true;
  }
  bool open() {
    if (open_.size() == limits_.depth) {
      return refuse("is nested deeper than " + std::to_string(limits_.depth) + " levels");
    }
    open_.emplace_back();
    return count();
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  JsonLimits limits_;
  std::size_t n_left_;  // values
  bool is_object_ = false;
  std::vector<std::unordered_set<std::string>> open_;  // the keys of objects; of arrays none
  std::string fault_;
};

}  // namespace

std::string json_object_fault(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    return "is " + std::to_string(text.size()) + " bytes long, more than the " +
           std::to_string(limits.bytes) + " that are read";
  }
  JsonInspector inspector(limits);
  if (!nlohmann::json::sax_parse(text, &inspector)) return inspector.fault();
  return inspector.is_object() ? "" : "is no JSON object";
}

}  // namespace bitnet
