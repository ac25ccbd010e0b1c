// Another program, run without a shell: its arguments, streams, environment and end under a test's control.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/args.h"

namespace bitnet::test {

struct ChildOptions {
  Args args;
  std::map<std::string, std::string> environment;  // over this process's own, less BITNET_* and NO_COLOR
  std::string stdin_text;                          // what it reads, and then the end
  int stdin_fd = -1;                               // in place of that
  int stdout_fd = -1;                              // in place of capturing it
  int stderr_fd = -1;                              // likewise
  std::chrono::seconds timeout{300};               // then it is killed: sanitizers are slow
};

struct ChildResult {
  int exit_code = -1;  // 128 + signal when a signal killed it
  bool timed_out = false;
  std::string out;
  std::string err;
};

class ChildProcess {
 public:
  // Throws std::system_error when the program cannot be started.
  ChildProcess(const std::string& program, const ChildOptions& options);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();  // kills it if it still runs

  void send(int signal) const;
  // Returns once it has stopped and been told to go on, as by a shell's Ctrl-Z and fg.
  void stop_and_continue() const;
  ChildResult wait();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;

  static File temporary_file(const std::string& text);
  static std::string contents(const File& file);

  std::chrono::steady_clock::time_point deadline_;
  File out_;
  File err_;
  pid_t pid_ = -1;
};

}  // namespace bitnet::test
