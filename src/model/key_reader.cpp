#include "model/key_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

// Keys under the architecture's prefix that may hold an array, with a value for each layer.
constexpr std::array<std::string_view, 10> kPerLayerKeys{
    "feed_forward_length",  "attention.head_count",   "attention.head_count_kv",
    "attention.key_length", "attention.value_length", "attention.layer_norm_rms_epsilon",
    "rope.dimension_count", "rope.freq_base",         "expert_feed_forward_length",
    "swiglu_clamp_exp"};

}  // namespace

std::string digits_of(double value) {
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

void KeyReader::refuse_key(std::string_view whole_key, std::string_view what, std::string_view hint) const {
  throw ModelError(printable(file_.name(), kMaxPrintedPath),
                   "key " + printable(whole_key, kMaxPrintedName) + ": " + std::string(what), hint);
}

std::optional<std::size_t> KeyReader::optional_count(std::string_view suffix, std::uint64_t max) const {
  if (const auto array = array_at(suffix, gguf::is_integer)) {
    const std::int64_t v = array->int_at(0);
    if (v < 1 || std::cmp_greater(v, max)) {
      refuse(suffix, std::to_string(v) + " is not between 1 and " + std::to_string(max));
    }
    return static_cast<std::size_t>(v);
  }
  const std::optional<std::uint64_t> v = file_.get_uint(key(suffix));
  if (v && (*v == 0 || *v > max)) {
    refuse(suffix, std::to_string(*v) + " is not between 1 and " + std::to_string(max));
  }
  return v;
}

std::size_t KeyReader::count(std::string_view suffix, std::uint64_t max) const {
  if (const auto v = optional_count(suffix, max)) return *v;
  refuse(suffix, "missing", "the file is incomplete: convert or download it again");
}

std::optional<double> KeyReader::number(std::string_view suffix) const {
  if (const auto array = array_at(suffix, gguf::is_number)) return array->at(0);
  return file_.get_number(key(suffix));
}

double KeyReader::number_between(std::string_view suffix, double low, double high, double otherwise) const {
  const double value = number(suffix).value_or(otherwise);
  if (!(value >= low && value <= high)) {
    refuse(suffix, digits_of(value) + " is not between " + digits_of(low) + " and " + digits_of(high));
  }
  return value;
}

std::optional<std::vector<bool>> KeyReader::flags(std::string_view suffix) const {
  const auto value = file_.find(key(suffix));
  if (!value) return std::nullopt;
  if (auto flags = value->as_flags()) return flags;
  refuse(suffix, "holds " + value->describe_type() + ", not an array of bools", "convert the model again");
}

bool KeyReader::is_off(std::string_view suffix) const {
  const std::string name = key(suffix);
  const auto value = file_.find(name);
  if (!value) return true;
  switch (value->type()) {
    case gguf::ValueType::boolean:
      return !*file_.get_bool(name);
    case gguf::ValueType::string:
      return false;
    case gguf::ValueType::array:  // of a value for each layer, say
      return value->has_only_zeros();
    default:
      return *file_.get_number(name) == 0;
  }
}

bool KeyReader::is_one(std::string_view suffix) const {
  const auto value = file_.find(key(suffix));
  return value && value->as_number() == 1;
}

void KeyReader::check_arrays(std::size_t n_layers) const {
  for (const std::string_view suffix : kPerLayerKeys) {
    const auto array = array_at(suffix, gguf::is_number);
    if (array && array->size() != n_layers) {
      refuse(suffix,
             "an array of " + std::to_string(array->size()) + " values for " + std::to_string(n_layers) +
                 " layers",
             "the file contradicts itself: convert or download it again");
    }
  }
}

// The array that stands for a value, if it is one of its kind: not empty, all elements the same.
std::optional<gguf::NumberArray> KeyReader::array_at(std::string_view suffix,
                                                     bool (*is_kind)(gguf::ValueType)) const {
  if (std::ranges::find(kPerLayerKeys, suffix) == kPerLayerKeys.end()) return std::nullopt;
  const auto value = file_.find(key(suffix));
  const auto array = value ? value->as_numbers() : std::nullopt;
  if (!array || !is_kind(array->element_type())) return std::nullopt;
  if (array->empty()) refuse(suffix, "an array without values", "convert the model again");
  for (std::size_t i = 1; i < array->size(); ++i) {
    if (array->at(i) == array->at(0)) continue;
    refuse(suffix,
           digits_of(array->at(0)) + " in layer 0 and " + digits_of(array->at(i)) + " in layer " +
               std::to_string(i) + ": layers that differ are not implemented",
           "this model cannot be run here");
  }
  return array;
}

}  // namespace bitnet
