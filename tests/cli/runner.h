// Runs the built executable, for tests of what its user sees.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "support/args.h"
#include "support/child_process.h"
#include "support/text_holds.h"

namespace bitnet::test {

std::string executable();

// Runs it to its end; fails the test when that does not come in time.
ChildResult run_bitnet(const ChildOptions& options);
ChildResult run_bitnet(Args args, std::map<std::string, std::string> environment = {});

// stdout of a run that must succeed.
std::string text_of(Args args);

// Expects `code`, nothing on stdout and one error line, the last; returns it. Notes may stand before it.
std::string refusal(const ChildResult& result, int code);

// Runs it until its first word on stderr, then sends it the signal and waits for its end.
ChildResult run_until_signal(Args args, int signal);

// Expects that a stdout which is full is told as the reason of exit code 1, and that one which nobody reads
// is the end.
void expect_lost_output_is_told(const Args& args);

// Runs a script or, after -c, a line of Python to its end, in a home directory of its own.
inline const std::string kPython = "/usr/bin/python3";
bool has_python();
ChildResult run_python(Args args, std::map<std::string, std::string> environment = {});

// "SIGINT" or "SIGTERM", for the names of tests that have either for a parameter.
std::string name_of_signal(const ::testing::TestParamInfo<int>& info);

// Models that the project keeps.
inline const std::string kCanary = BITNET_MODELS "/canary.gguf";
inline const std::string kRandom = BITNET_TEST_DATA "/models/random-llama.gguf";

std::vector<std::string> lines_of(const std::string& text);

}  // namespace bitnet::test
