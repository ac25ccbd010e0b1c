// JSON that a command saved, read back: files that anyone may have changed.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace bitnet::cli {

using SavedJson = nlohmann::json;

// One kind of such files.
struct SavedForm {
  std::string_view schema;  // "bitnet.chat"
  int version = 1;
  std::string_view name;    // "conversation"
  std::string_view advice;  // how to save one
};

// The object in `text`. `shown` names the file in messages. Throws ModelError for what is too large, is no
// JSON, or has another schema or version. What is nested deeper than any of these files is left out.
SavedJson parse_saved(std::string_view text, const std::string& shown, const SavedForm& form);

}  // namespace bitnet::cli
