// A benchmark that takes no time, for tests of what bitnet bench prints and of its gate.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/runner.h"
#include "support/parse_json.h"

namespace bitnet::test {

using Json = nlohmann::json;

inline const Args kShortBench{"bench", "--synthetic", "tiny", "-p", "4", "-n", "2", "-r", "2", "-t", "1"};

// A run to compare others with: made once.
inline const Json& saved_run() {
  static const Json run = parse_json(text_of(with(kShortBench, {"-o", "json"})));
  return run;
}

inline std::vector<std::string> table_lines(const std::string& text) {
  std::vector<std::string> lines = lines_of(text);
  std::erase_if(lines, [](const std::string& line) { return !line.starts_with('|'); });
  return lines;
}

}  // namespace bitnet::test
