// A conversation from a pipe.
#pragma once

#include <string>
#include <vector>

#include "cli/runner.h"

namespace bitnet::test {

// What bitnet chat makes of these lines, greedily.
inline ChildResult talk(const std::string& lines, const Args& more = {}) {
  ChildOptions options;
  options.args = with({"chat", "--greedy"}, more);
  options.stdin_text = lines;
  return run_bitnet(options);
}

}  // namespace bitnet::test
