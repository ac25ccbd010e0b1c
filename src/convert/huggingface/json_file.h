// JSON that a folder's files hold, which anyone may have written: depth, number of values and size are
// limited before anything is built of it, and no object that is built may have a key twice.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "diagnostics/json_guard.h"

namespace bitnet::convert {

using Json = nlohmann::json;

// The object in `text`. `shown` names the file in messages. Throws ModelError for what is larger than the
// limits, nested deeper, no JSON, no object, or has a key twice in one object that is not taken.
Json parse_object(std::string_view text, const std::string& shown, const JsonLimits& limits = {},
                  JsonTaker* taker = nullptr);
// The same of a file. Throws ModelError too where it cannot be read.
Json read_object(const std::string& path, const JsonLimits& limits = {}, JsonTaker* taker = nullptr);

// What an object has there, or what stands for what it has not or has in another form.
std::string text_at(const Json& object, const char* field);
bool flag_at(const Json& object, const char* field, bool otherwise);

}  // namespace bitnet::convert
