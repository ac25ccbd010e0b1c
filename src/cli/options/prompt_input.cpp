#include "cli/options/prompt_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/log.h"
#include "tokenizer/utf8.h"

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

  const std::string& name() const { return name_; }
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

// bitnet run model.gguf, bitnet tokenize notes.txt.
void refuse_file_name(const std::string& word) {
  const bool is_model = word.ends_with(".gguf");
  struct stat status {};
  const bool is_file = word.find('\0') == std::string::npos && ::stat(word.c_str(), &status) == 0;
  if (!is_model && (!is_file || !S_ISREG(status.st_mode))) return;
  const std::string name = printable(word, kMaxPrintedPath);
  throw UsageError("'" + name + "' is the name of a file, and would be taken for the prompt; did you mean " +
                   (is_model ? "-m " : "-f ") + name + "? As a prompt it needs -p");
}

// Of what a byte order mark says that it is no UTF-8; empty otherwise.
std::string_view wide_encoding(std::string_view text) {
  using namespace std::string_view_literals;
  if (text.starts_with("\xFF\xFE\0\0"sv)) return "UTF-32LE";
  if (text.starts_with("\0\0\xFE\xFF"sv)) return "UTF-32BE";
  if (text.starts_with("\xFF\xFE"sv)) return "UTF-16LE";
  if (text.starts_with("\xFE\xFF"sv)) return "UTF-16BE";
  return {};
}

// Drops the mark of UTF-8, refuses other encodings, warns of what is no text.
void check_encoding(const std::string& path, std::string& text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  const std::string name = path == "-" ? "stdin" : printable(path, kMaxPrintedPath);
  if (const std::string_view encoding = wide_encoding(text); !encoding.empty()) {
    throw ModelError(name, "the prompt is " + std::string(encoding.substr(0, 6)) + ", not UTF-8",
                     "convert it: iconv -f " + std::string(encoding.substr(0, 6)) + " -t UTF-8");
  }
  if (text.starts_with(kMark)) {
    text.erase(0, kMark.size());
    log_debug("{}: the byte order mark at its beginning is left out", name);
  }
  const auto n_zeros = std::ranges::count(text, '\0');
  if (n_zeros > 0) {
    log_warn("{}: {} of the prompt's {} bytes are zero; is it text? UTF-16 needs iconv -f UTF-16LE -t UTF-8",
             name, n_zeros, text.size());
  } else if (!is_utf8(text)) {
    log_warn("{}: the prompt is not valid UTF-8; its bytes are taken as they are", name);
  }
}

}  // namespace

std::string read_input(const std::string& path, const std::string& what) {
  const Input input(path, what);
  if (path == "-" && ::isatty(STDIN_FILENO) != 0) {
    log_info("reading {} from the keyboard; Ctrl-D at the beginning of a line ends it", what);
  }
  std::string text;
  std::array<char, 65536> block;
  while (const std::size_t n = input.read(block)) {
    text.append(block.data(), n);
    if (text.size() > kMaxBytes)
      throw UsageError(input.name() + ": " + what + " is larger than 64 MiB; pass less");
  }
  return text;
}

Option* add_prompt(Command& command, std::optional<std::string>& prompt, const std::string& description) {
  const auto take = [&prompt](const std::string& text, const std::string& source) {
    if (!source.starts_with('-')) refuse_file_name(text);
    prompt = text;
  };
  Option* option = command.add_option("-p,--prompt,prompt", take, description);
  return option->type_name("TEXT")->allow_empty()->only_once();
}

std::string read_prompt_file(const std::string& path) {
  std::string text = read_input(path, "the prompt");
  check_encoding(path, text);
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace bitnet::cli
