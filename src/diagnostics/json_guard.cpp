#include "diagnostics/json_guard.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "base/printable.h"

namespace bitnet {
namespace {

using nlohmann::json;

// Builds the value of what the parser reads, each time after a look at the limits.
class JsonBuilder : public nlohmann::json_sax<json> {
 public:
  JsonBuilder(const JsonLimits& limits, JsonTaker* taker)
      : limits_(limits), taker_(taker), n_left_(limits.values) {}

  json& root() { return root_; }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(std::int64_t value) override { return put(value); }
  bool number_unsigned(std::uint64_t value) override { return put(value); }
  bool number_float(double value, const std::string& /*text*/) override { return put(value); }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }  // no JSON has it
  bool start_object(std::size_t /*size*/) override { return open(json::object()); }
  bool start_array(std::size_t /*size*/) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override;
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& e) override;

 private:
  // An object or list that has begun.
  struct Open {
    json* value;
    bool is_taken;
  };

  bool is_taken() const { return !open_.empty() && open_.back().is_taken; }
  void count();
  json& place(json&& value);
  bool put(json value);
  bool open(json value);
  bool close();
  void hand_over() { taker_->take(key_, entry_); }

  JsonLimits limits_;
  JsonTaker* taker_;
  std::size_t n_left_;  // values
  json root_;
  std::vector<Open> open_;
  std::vector<std::string> path_;  // kept outside of what is taken
  json* slot_ = nullptr;           // of the last key of an object that is built
  std::string key_;                // of an object that is taken
  json entry_;
  bool in_taken_ = false;
};

void JsonBuilder::count() {
  if (n_left_ == 0) throw JsonFault("holds more than " + std::to_string(limits_.values) + " values");
  --n_left_;
}

bool JsonBuilder::key(std::string& name) {
  count();
  if (is_taken()) {
    key_ = std::move(name);
    return true;
  }
  if (taker_ != nullptr && !in_taken_) path_.back() = name;
  auto& object = open_.back().value->get_ref<json::object_t&>();
  const auto [at, is_new] = object.emplace(std::move(name), nullptr);
  if (!is_new) {
    throw JsonFault("the key '" + printable(at->first, kMaxPrintedName) + "' stands twice in one object");
  }
  slot_ = &at->second;
  return true;
}

// Where the value now is, until the list or object that it is in goes on.
json& JsonBuilder::place(json&& value) {
  json* at = &root_;
  if (is_taken()) {
    at = &entry_;
  } else if (!open_.empty() && open_.back().value->is_array()) {
    open_.back().value->push_back(nullptr);
    at = &open_.back().value->back();
  } else if (!open_.empty()) {
    at = slot_;
  }
  *at = std::move(value);
  return *at;
}

bool JsonBuilder::put(json value) {
  count();
  place(std::move(value));
  if (is_taken()) hand_over();
  return true;
}

bool JsonBuilder::open(json value) {
  if (open_.size() == limits_.depth) {
    throw JsonFault("is nested deeper than " + std::to_string(limits_.depth) + " levels");
  }
  count();
  json& placed = place(std::move(value));
  const bool may_be_taken = taker_ != nullptr && !in_taken_;
  const bool is_taken = may_be_taken && taker_->takes(path_, placed.is_object());
  if (is_taken) {
    in_taken_ = true;
    key_.clear();
  } else if (may_be_taken) {
    path_.emplace_back();
  }
  open_.push_back({&placed, is_taken});
  return true;
}

bool JsonBuilder::close() {
  if (is_taken()) {
    in_taken_ = false;
  } else if (taker_ != nullptr && !in_taken_) {
    path_.pop_back();
  }
  open_.pop_back();
  if (is_taken()) hand_over();
  return true;
}

bool JsonBuilder::parse_error(std::size_t position, const std::string& /*token*/,
                              const nlohmann::detail::exception& e) {
  constexpr int kNumberTooLarge = 406;
  if (e.id == kNumberTooLarge) throw JsonFault("is not JSON that can be read: a number is too large");
  throw JsonFault("is not JSON: byte " + std::to_string(position) + " is wrong");
}

}  // namespace

json parse_json_object(std::string_view text, const JsonLimits& limits, JsonTaker* taker) {
  if (text.size() > limits.bytes) {
    throw JsonFault("is " + std::to_string(text.size()) + " bytes long, more than the " +
                    std::to_string(limits.bytes) + " that are read");
  }
  JsonBuilder builder(limits, taker);
  // As unsigned bytes, of which nobody else has JSON read: the parser is then this file's own, made at this
  // file's optimization, and not one that the linker found elsewhere.
  const auto* const begin = reinterpret_cast<const unsigned char*>(text.data());
  json::sax_parse(begin, begin + text.size(), &builder);
  if (!builder.root().is_object()) throw JsonFault("is no JSON object");
  return std::move(builder.root());
}

}  // namespace bitnet
