#include "support/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

extern char** environ;

namespace bitnet::test {
namespace {

void check(int error, const char* what) {
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

// NAME=VALUE entries of this process's environment and of `more`. What a program caches for its user is no
// business of tests, unless they say where.
std::vector<std::string> make_environment(const std::map<std::string, std::string>& more) {
  std::vector<std::string> entries;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string entry = *variable;
    const std::string name = entry.substr(0, entry.find('='));
    if (name.starts_with("BITNET_") || name == "NO_COLOR" || name == "XDG_CACHE_HOME") continue;
    if (!more.contains(name)) entries.push_back(entry);
  }
  if (!more.contains("XDG_CACHE_HOME")) entries.emplace_back("XDG_CACHE_HOME=/nonexistent");
  for (const auto& [name, value] : more) entries.emplace_back(name).append("=").append(value);
  return entries;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

class SpawnSettings {
 public:
  SpawnSettings(int in, int out, int err) {
    check(posix_spawn_file_actions_init(&actions_), "posix_spawn_file_actions_init");
    check(posix_spawn_file_actions_adddup2(&actions_, in, STDIN_FILENO), "dup2 stdin");
    check(posix_spawn_file_actions_adddup2(&actions_, out, STDOUT_FILENO), "dup2 stdout");
    check(posix_spawn_file_actions_adddup2(&actions_, err, STDERR_FILENO), "dup2 stderr");
    // Signals as a shell would leave them, whatever the test runner did.
    check(posix_spawnattr_init(&attributes_), "posix_spawnattr_init");
    sigset_t signals;
    sigemptyset(&signals);
    check(posix_spawnattr_setsigmask(&attributes_, &signals), "setsigmask");
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&signals, signal);
    check(posix_spawnattr_setsigdefault(&attributes_, &signals), "setsigdefault");
    check(posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF), "setflags");
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

ChildProcess::File ChildProcess::temporary_file(const std::string& text) {
  File file(std::tmpfile());
  if (file == nullptr) check(errno, "tmpfile");
  check(::fcntl(::fileno(file.get()), F_SETFD, FD_CLOEXEC) < 0 ? errno : 0, "fcntl");
  std::fwrite(text.data(), 1, text.size(), file.get());
  std::rewind(file.get());  // flushes
  return file;
}

std::string ChildProcess::contents(const File& file) {
  std::rewind(file.get());
  std::string text;
  for (int c = std::fgetc(file.get()); c != EOF; c = std::fgetc(file.get())) {
    text.push_back(static_cast<char>(c));
  }
  return text;
}

ChildProcess::ChildProcess(const std::string& program, const ChildOptions& options)
    : deadline_(std::chrono::steady_clock::now() + options.timeout),
      out_(temporary_file("")),
      err_(temporary_file("")) {
  const File in = temporary_file(options.stdin_text);
  const SpawnSettings settings(options.stdin_fd >= 0 ? options.stdin_fd : ::fileno(in.get()),
                               options.stdout_fd >= 0 ? options.stdout_fd : ::fileno(out_.get()),
                               options.stderr_fd >= 0 ? options.stderr_fd : ::fileno(err_.get()));
  std::vector<std::string> args = options.args;
  args.insert(args.begin(), program);
  std::vector<std::string> environment = make_environment(options.environment);
  check(::posix_spawn(&pid_, program.c_str(), settings.actions(), settings.attributes(),
                      pointers(args).data(), pointers(environment).data()),
        program.c_str());
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ChildProcess::send(int signal) const { ::kill(pid_, signal); }

void ChildProcess::stop_and_continue() const {
  send(SIGSTOP);
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT) != 0) {
    if (errno != EINTR) check(errno, "waitid");
  }
  send(SIGCONT);
}

ChildResult ChildProcess::wait() {
  ChildResult result;
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(pid_, &status, result.timed_out ? 0 : WNOHANG);
    if (ended == pid_) break;
    if (ended < 0 && errno != EINTR) check(errno, "waitpid");
    if (std::chrono::steady_clock::now() > deadline_) {
      result.timed_out = true;
      ::kill(pid_, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  pid_ = -1;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = contents(out_);
  result.err = contents(err_);
  return result;
}

}  // namespace bitnet::test
