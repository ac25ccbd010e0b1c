#include "cli/runner.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <sstream>
#include <utility>

#include "support/pipe.h"
#include "support/temp_directory.h"

namespace bitnet::test {

std::string executable() { return BITNET_EXECUTABLE; }

ChildResult run_bitnet(const ChildOptions& options) {
  ChildResult result = ChildProcess(executable(), options).wait();
  EXPECT_FALSE(result.timed_out);
  return result;
}

ChildResult run_bitnet(Args args, std::map<std::string, std::string> environment) {
  ChildOptions options;
  options.args = std::move(args);
  options.environment = std::move(environment);
  return run_bitnet(options);
}

std::string text_of(Args args) {
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

bool has_python() { return ::access(kPython.c_str(), X_OK) == 0; }

ChildResult run_python(Args args, std::map<std::string, std::string> environment) {
  const TempDirectory home;  // for what libraries remember
  ChildOptions options;
  options.args = std::move(args);
  options.environment = std::move(environment);
  for (const char* name : {"HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"})
    options.environment[name] = home.path();
  ChildResult result = ChildProcess(kPython, options).wait();
  EXPECT_FALSE(result.timed_out);
  return result;
}

ChildResult run_until_signal(Args args, int signal) {
  Pipe messages;
  ChildOptions options;
  options.args = std::move(args);
  options.stderr_fd = messages.writer();
  ChildProcess child(executable(), options);
  char first = 0;
  EXPECT_EQ(::read(messages.reader(), &first, 1), 1);  // says which model it takes: it has begun
  child.send(signal);
  return child.wait();
}

void expect_lost_output_is_told(const Args& args) {
  ChildOptions options;
  options.args = args;
  options.stdout_fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  EXPECT_TRUE(has(refusal(run_bitnet(options), 1), "No space left on device"));
  ::close(options.stdout_fd);
  Pipe pipe;
  pipe.close_reader();
  options.stdout_fd = pipe.writer();
  EXPECT_EQ(run_bitnet(options).exit_code, 128 + SIGPIPE);
}

std::string name_of_signal(const ::testing::TestParamInfo<int>& info) {
  return info.param == SIGINT ? "SIGINT" : "SIGTERM";
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace bitnet::test
