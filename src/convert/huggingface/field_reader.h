// Fields of a JSON object that must have the kind and size asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "convert/huggingface/json_file.h"

namespace bitnet::convert {

// Everything throws ModelError naming file and field. A field that is null counts as missing.
class FieldReader {
 public:
  // `prefix` goes before names of fields in messages: "rope_scaling.". The object must outlive this.
  FieldReader(const Json& object, std::string shown, std::string prefix = {})
      : object_(object), shown_(std::move(shown)), prefix_(std::move(prefix)) {}

  [[noreturn]] void refuse(std::string_view field, std::string_view what, std::string_view hint = {}) const;

  // What it reads.
  const Json& fields() const { return object_; }
  bool has(std::string_view field) const { return find(field) != nullptr; }
  const Json* find(std::string_view field) const;
  // From 1 to max.
  std::optional<std::uint64_t> optional_count(std::string_view field, std::uint64_t max) const;
  std::uint64_t count(std::string_view field, std::uint64_t max) const;
  std::optional<double> optional_number(std::string_view field, double low, double high) const;
  double number(std::string_view field, double low, double high) const;
  bool flag(std::string_view field, bool otherwise) const;
  std::string text(std::string_view field) const;  // empty where it is missing
  // nullopt where it is missing.
  std::optional<FieldReader> object(std::string_view field) const;
  // Whether it is missing, false, zero, or an empty list or text.
  bool is_off(std::string_view field) const;
  // Throws unless it is off.
  void check_off(std::string_view field) const;
  // Says that it is not what another place says.
  [[noreturn]] void refuse_contradiction(std::string_view field, const FieldReader& other,
                                         std::string_view other_field) const;
  // Says that it asks for what is not implemented, and with which value.
  [[noreturn]] void refuse_graph(std::string_view field) const;

 private:
  const Json& object_;
  std::string shown_;
  std::string prefix_;
};

}  // namespace bitnet::convert
