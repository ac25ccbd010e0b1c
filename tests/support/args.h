// The words of a command line.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitnet::test {

// A vector that one function fills from a list in braces. Left to std::vector each place that has such a list
// makes all its strings and destroys them: a sixth of what there was to compile in the tests of the command
// line.
class Args : public std::vector<std::string> {
 public:
  struct Word {
    Word(const char* text) : text(text) {}
    Word(const std::string& text) : text(text) {}
    std::string_view text;
  };

  Args() = default;
  Args(std::initializer_list<Word> words);
  Args(std::vector<std::string> words) : std::vector<std::string>(std::move(words)) {}
  template <typename Iterator>
  Args(Iterator begin, Iterator end) : std::vector<std::string>(begin, end) {}
};

// Both, one after the other.
Args with(Args args, const Args& more);

}  // namespace bitnet::test
