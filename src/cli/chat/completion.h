// What Tab makes of a line that has begun.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::cli {

struct Completion {
  std::string insert;                // what any of the candidates goes on with
  std::vector<std::string> choices;  // where there are several, in order
};
// From what stands before the cursor.
using Completer = std::function<Completion(std::string_view line)>;

// Of words that go on from what was typed; `typed` is a front of each of them.
Completion complete_from(std::vector<std::string> words, std::string_view typed);

// The file's name typed so far, in its directory. Names that no line can hold are not among them, hidden ones
// only where their dot is typed.
Completion complete_file(std::string_view typed);

}  // namespace bitnet::cli
