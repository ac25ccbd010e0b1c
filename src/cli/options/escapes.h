// -e/--escape: \n and its kin in what is typed, as the characters they stand for.
#pragma once

#include <string>
#include <string_view>

namespace bitnet::cli {

// \n \t \r \a \b \f \v \e \\ \' \" \xNN (a byte), \uNNNN and \UNNNNNNNN (a character; two \u that are
// a surrogate pair are one). `source`, the option, is for messages. Throws UsageError for any other
// backslash.
std::string unescape(std::string_view text, const std::string& source);

}  // namespace bitnet::cli
