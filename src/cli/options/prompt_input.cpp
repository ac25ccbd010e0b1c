#include "cli/options/prompt_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/terminal/interrupt.h"

namespace bitnet::cli {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

class Input {
 public:
  Input(const std::string& path, const std::string& what)
      : what_(what),
        is_stdin_(path == "-"),
        name_(is_stdin_ ? "stdin" : printable(path, kMaxPrintedPath)),
        descriptor_(is_stdin_ ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) refuse("cannot open " + what_ + ": " + std::strerror(errno) + "; check the path");
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input() {
    if (!is_stdin_) ::close(descriptor_);
  }

  [[noreturn]] void refuse(const std::string& what) const { throw ModelError(name_, what); }

  // Bytes read; 0 at the end. Plain read: stdio would want a second Ctrl-D, and forget an interrupt.
  std::size_t read(std::span<char> block) const {
    for (;;) {
      const ssize_t n = ::read(descriptor_, block.data(), block.size());
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR || interrupted()) {
        refuse("cannot read " + what_ + ": " + std::strerror(errno) + "; name a file that can be read");
      }
    }
  }

 private:
  std::string what_;
  bool is_stdin_;
  std::string name_;
  int descriptor_;
};

}  // namespace

std::string read_input(const std::string& path, const std::string& what) {
  const Input input(path, what);
  std::string text;
  std::array<char, 65536> block;
  while (const std::size_t n = input.read(block)) {
    text.append(block.data(), n);
    if (text.size() > kMaxBytes) input.refuse(what + " is larger than 64 MiB; pass less");
  }
  return text;
}

std::string read_prompt_file(const std::string& path) {
  std::string text = read_input(path, "the prompt");
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace bitnet::cli
