#include "convert/huggingface/field_reader.h"

#include <cmath>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::convert {
namespace {

std::string shown_value(const Json& value) {
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), kMaxPrintedName);
}

}  // namespace

void FieldReader::refuse(std::string_view field, std::string_view what, std::string_view hint) const {
  throw ModelError(shown_, prefix_ + std::string(field) + ": " + std::string(what), hint);
}

const Json* FieldReader::find(std::string_view field) const {
  const auto at = object_.find(field);
  return at == object_.end() || at->is_null() ? nullptr : &*at;
}

std::optional<std::uint64_t> FieldReader::optional_count(std::string_view field, std::uint64_t max) const {
  const Json* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_unsigned() || *value == 0 || value->get<std::uint64_t>() > max) {
    refuse(field, shown_value(*value) + " is no whole number from 1 to " + std::to_string(max));
  }
  return value->get<std::uint64_t>();
}

std::uint64_t FieldReader::count(std::string_view field, std::uint64_t max) const {
  const auto value = optional_count(field, max);
  if (!value) refuse(field, "missing", "config.json is incomplete: download it again");
  return *value;
}

std::optional<double> FieldReader::optional_number(std::string_view field, double low, double high) const {
  const Json* value = find(field);
  if (value == nullptr) return std::nullopt;
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (!(number >= low && number <= high)) {
    refuse(field, shown_value(*value) + " is not in the range of what is sensible");
  }
  return number;
}

double FieldReader::number(std::string_view field, double low, double high) const {
  const auto value = optional_number(field, low, high);
  if (!value) refuse(field, "missing", "config.json is incomplete: download it again");
  return *value;
}

bool FieldReader::flag(std::string_view field, bool otherwise) const {
  const Json* value = find(field);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) refuse(field, shown_value(*value) + " is neither true nor false");
  return value->get<bool>();
}

std::string FieldReader::text(std::string_view field) const {
  const Json* value = find(field);
  if (value == nullptr) return {};
  if (!value->is_string()) refuse(field, shown_value(*value) + " is no text");
  return value->get<std::string>();
}

std::optional<FieldReader> FieldReader::object(std::string_view field) const {
  const Json* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) refuse(field, shown_value(*value) + " is no object");
  return FieldReader(*value, shown_, prefix_ + std::string(field) + ".");
}

bool FieldReader::is_off(std::string_view field) const {
  const Json* value = find(field);
  if (value == nullptr || *value == false || *value == 0) return true;
  if (value->is_array() || value->is_object()) return value->empty();
  return value->is_string() && value->get_ref<const std::string&>().empty();
}

void FieldReader::check_off(std::string_view field) const {
  if (!is_off(field)) refuse_graph(field);
}

void FieldReader::refuse_contradiction(std::string_view field, const FieldReader& other,
                                       std::string_view other_field) const {
  refuse(field,
         shown_value(*find(field)) + ", but " + other.prefix_ + std::string(other_field) + " is " +
             shown_value(*other.find(other_field)),
         "config.json contradicts itself: leave the right one");
}

void FieldReader::refuse_graph(std::string_view field) const {
  refuse(field,
         shown_value(object_.at(std::string(field))) + " asks for a computation that is not implemented",
         "this model cannot be run here");
}

}  // namespace bitnet::convert
