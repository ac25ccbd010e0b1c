// Bytes and objects as JSON can hold them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace bitnet {

// How every JSON form begins: {schema, version, program, commit}. The last two are the program that wrote it,
// "bitnet 0.1.0", and what it was built from, as bitnet/version.h has it.
nlohmann::ordered_json schema_json(std::string_view schema, int version);

// Two lower-case digits for each byte.
std::string hex_of(std::string_view bytes);

// A string, or null where the bytes are not UTF-8: then the hexadecimal digits beside it tell.
nlohmann::ordered_json text_json(std::string_view bytes);

// A string, or {"bytes": hexadecimal digits} where the bytes are not UTF-8.
nlohmann::ordered_json argument_json(std::string_view bytes);

// null for what JSON has no number for: NaN and the infinities.
nlohmann::ordered_json number_json(double value);

// The object with a line for each member, and for each object in an array: fit to be read and to be compared
// by diff. It ends in a newline.
std::string in_lines(const nlohmann::ordered_json& object);

}  // namespace bitnet
