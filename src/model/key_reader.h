// The metadata keys of one architecture, read by the part of their name that follows its prefix.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gguf/gguf.h"

namespace bitnet {

// Keys whose value may differ from layer to layer may hold an array with a value for each; the values must be
// the same for all layers, and stand for the one value then. Everything throws ModelError naming the key.
class KeyReader {
 public:
  // prefix: "llama."
  KeyReader(const gguf::File& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  const gguf::File& file() const { return file_; }
  const std::string& prefix() const { return prefix_; }
  std::string key(std::string_view suffix) const { return prefix_ + std::string(suffix); }

  // whole_key: as the file has it.
  [[noreturn]] void refuse_key(std::string_view whole_key, std::string_view what,
                               std::string_view hint = {}) const;
  [[noreturn]] void refuse(std::string_view suffix, std::string_view what, std::string_view hint = {}) const {
    refuse_key(key(suffix), what, hint);
  }

  bool has(std::string_view suffix) const { return file_.find(key(suffix)).has_value(); }
  // From 1 to max.
  std::optional<std::size_t> optional_count(std::string_view suffix, std::uint64_t max) const;
  std::size_t count(std::string_view suffix, std::uint64_t max) const;
  std::optional<double> number(std::string_view suffix) const;
  // From low to high; `otherwise` where the key is missing.
  double number_between(std::string_view suffix, double low, double high, double otherwise) const;
  std::optional<bool> flag(std::string_view suffix) const { return file_.get_bool(key(suffix)); }
  // An array of bools, or of integers that stand for them.
  std::optional<std::vector<bool>> flags(std::string_view suffix) const;
  std::optional<std::string_view> text(std::string_view suffix) const {
    return file_.get_string(key(suffix));
  }

  // A zero, a false or an array of nothing else: the feature is off.
  bool is_off(std::string_view suffix) const;
  // A number, and 1.
  bool is_one(std::string_view suffix) const;

  // Arrays must have a value for each layer; that they are all the same is seen when they are read.
  void check_arrays(std::size_t n_layers) const;

 private:
  std::optional<gguf::NumberArray> array_at(std::string_view suffix, bool (*is_kind)(gguf::ValueType)) const;

  const gguf::File& file_;
  std::string prefix_;
};

// "0.5": without digits that say nothing.
std::string digits_of(double value);

}  // namespace bitnet
