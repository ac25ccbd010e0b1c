// A directory with files of requests and answers, and the words of a command line that asks for them.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/runner.h"
#include "support/temp_directory.h"

namespace bitnet::test {

class CliBatch : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return directory_.file(name); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name), std::ios::binary) << text;
    return file(name);
  }
  // Of mixed lengths and options, some of them wrong and one of them blank.
  std::string requests(std::size_t n) const {
    std::string all;
    for (std::size_t i = 0; i < n; ++i) {
      nlohmann::json request{{"prompt", i % 3 == 0 ? "Once upon a time" : "The capital of France is"},
                             {"id", i}};
      request["max_tokens"] = 2 + i * 5 % 40;
      if (i % 4 == 1) request.update({{"temperature", 0.9}, {"seed", i}});
      if (i % 9 == 5) request["max_tokens"] = -7;
      all += i == 3 ? " \n" : request.dump() + "\n";
    }
    return write("requests.jsonl", all);
  }

  TempDirectory directory_;
};

inline Args batch(Args args) { return with({"batch", "-q"}, args); }

inline ChildOptions options_of(Args args, std::string stdin_text = "") {
  ChildOptions options;
  options.args = std::move(args);
  options.stdin_text = std::move(stdin_text);
  return options;
}

}  // namespace bitnet::test
