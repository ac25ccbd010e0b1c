// The fields of a JSON object, with errors that say which is wrong, what it holds and what it may hold.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bitnet/chat.h"
#include "bitnet/types.h"

namespace bitnet::service {

// One field's value. All functions throw FieldError.
class FieldReader {
 public:
  FieldReader(std::string name, const nlohmann::json& value) : name_(std::move(name)), value_(value) {}

  bool is_array() const { return value_.is_array(); }
  std::string text() const;
  bool yes_or_no() const;
  bool on_or_off() const;  // "on" and "off" too
  float number() const;
  // A whole number in the range, which is part of the message: 1.0 is none.
  template <typename Whole>
  Whole whole(Whole least = std::numeric_limits<Whole>::min(),
              Whole most = std::numeric_limits<Whole>::max()) const {
    const auto is_in_range = [&](auto n) {
      return std::cmp_greater_equal(n, least) && std::cmp_less_equal(n, most);
    };
    if (value_.is_number_unsigned()) {
      if (const auto n = value_.get<std::uint64_t>(); is_in_range(n)) return static_cast<Whole>(n);
    } else if (value_.is_number_integer()) {
      if (const auto n = value_.get<std::int64_t>(); is_in_range(n)) return static_cast<Whole>(n);
    }
    refuse("give a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  std::vector<TokenId> ids() const;
  std::vector<std::string> texts() const;  // of one text, or an array of them, none of them empty
  std::vector<Message> messages() const;

  // "NAME VALUE: WANTED"
  [[noreturn]] void refuse(std::string_view wanted) const;

 private:
  FieldReader element(std::size_t i) const;  // of an array
  Message message() const;
  std::string content() const;

  std::string name_;
  const nlohmann::json& value_;
};

}  // namespace bitnet::service
