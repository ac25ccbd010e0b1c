#include "cli/runner.h"

#include <gtest/gtest.h>

#include <sstream>
#include <utility>

namespace bitnet::test {

std::string executable() { return BITNET_EXECUTABLE; }

ChildResult run_bitnet(const ChildOptions& options) {
  ChildResult result = ChildProcess(executable(), options).wait();
  EXPECT_FALSE(result.timed_out);
  return result;
}

ChildResult run_bitnet(std::vector<std::string> args, std::map<std::string, std::string> environment) {
  ChildOptions options;
  options.args = std::move(args);
  options.environment = std::move(environment);
  return run_bitnet(options);
}

std::string text_of(std::vector<std::string> args) {
  const ChildResult result = run_bitnet(std::move(args));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}

std::string refusal(const ChildResult& result, int code) {
  EXPECT_EQ(result.exit_code, code) << result.err;
  EXPECT_EQ(result.out, "");
  std::vector<std::string> lines = lines_of(result.err);
  if (lines.empty()) {
    ADD_FAILURE() << "no error line";
    return "";
  }
  std::string error = lines.back();
  lines.pop_back();
  EXPECT_TRUE(error.starts_with("error: ")) << result.err;
  for (const std::string& line : lines) {
    EXPECT_TRUE(line.starts_with("info: ") || line.starts_with("warning: ")) << result.err;
  }
  return error;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool lacks(const std::string& text, const std::string& part) { return !has(text, part); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace bitnet::test
