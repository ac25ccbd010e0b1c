#include "service/batch/line_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::service {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 16;
constexpr int kWaitMilliseconds = 100;  // between two questions whether to go on

[[noreturn]] void fail_to_read(const std::string& path) {
  const std::string why = std::generic_category().message(errno);
  throw RuntimeError(printable(path, kMaxPrintedPath) + ": cannot be read: " + why);
}

Descriptor open_file(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const std::string shown = printable(path, kMaxPrintedPath);
  if (file.get() < 0) {
    throw ModelError(shown, "cannot be read: " + std::generic_category().message(errno));
  }
  struct stat status {};
  if (::fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    throw ModelError(shown, "is a directory", "name a file with a JSON object in each line");
  }
  return file;
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\v\f") == std::string::npos; }

}  // namespace

LineRange shard_of(std::size_t n_lines, std::size_t index, std::size_t n_parts) {
  const std::size_t share = n_lines / n_parts;
  const std::size_t rest = n_lines % n_parts;
  const auto before = [&](std::size_t parts) { return parts * share + std::min(parts, rest); };
  return {.first = before(index - 1) + 1, .last = before(index)};
}

LineReader::LineReader(const std::string& path) : path_(path), fd_(STDIN_FILENO) {
  if (path == "-") return;
  file_ = open_file(path);
  fd_ = file_.get();
}

LineReader::State LineReader::next(Line& line, const LineRange& range, bool wait,
                                   const std::function<bool()>& keep_going) {
  while (number_ < range.last) {
    if (take_line(line)) {
      if (line.number >= range.first && (line.is_too_long || !is_blank(line.text))) return State::line;
      continue;
    }
    if (at_end_) break;
    if (const State state = fill(wait, keep_going); state == State::none_yet) return state;
  }
  return State::end;
}

// The next line of what has been read.
bool LineReader::take_line(Line& line) {
  const std::size_t end = buffer_.find('\n', searched_);
  const bool has_end = end != std::string::npos;
  if (!has_end) {
    searched_ = buffer_.size();
    if (is_long_) {
      begin_ = searched_;
      if (!at_end_) return false;
    }
    const std::size_t n = buffer_.size() - begin_;
    if (!at_end_ && n <= kMostBytes) return false;
    if (at_end_ && n == 0) return false;
    line = {.number = ++number_, .text = buffer_.substr(begin_, kMostBytes), .is_too_long = n > kMostBytes};
    is_long_ = !at_end_;
    begin_ = buffer_.size();
    return true;
  }
  const std::size_t begin = std::exchange(begin_, end + 1);
  searched_ = begin_;
  if (std::exchange(is_long_, false)) return take_line(line);
  line = {.number = ++number_,
          .text = buffer_.substr(begin, std::min(end - begin, kMostBytes)),
          .is_too_long = end - begin > kMostBytes};
  return true;
}

LineReader::State LineReader::fill(bool wait, const std::function<bool()>& keep_going) {
  for (;;) {
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    const int n = ::poll(&ready, 1, wait ? kWaitMilliseconds : 0);
    if (n > 0) break;
    if (n < 0 && errno != EINTR) fail_to_read(path_);
    if (!wait || !keep_going()) return State::none_yet;
  }
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  const std::size_t size = buffer_.size();
  buffer_.resize(size + kPiece);
  ssize_t n = 0;
  do n = ::read(fd_, buffer_.data() + size, kPiece);
  while (n < 0 && errno == EINTR);
  buffer_.resize(size + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n < 0) fail_to_read(path_);
  at_end_ = n == 0;
  return at_end_ ? State::end : State::line;
}

std::size_t count_lines(const std::string& path) {
  const Descriptor file = open_file(path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    throw ModelError(printable(path, kMaxPrintedPath), "is a pipe or device, whose lines cannot be counted",
                     "give a file, or --lines");
  }
  std::string piece(kPiece, '\0');
  std::size_t n_lines = 0;
  char last = '\n';
  for (ssize_t n = 0; (n = ::read(file.get(), piece.data(), kPiece)) != 0;) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_to_read(path);
    n_lines += static_cast<std::size_t>(std::count(piece.begin(), piece.begin() + n, '\n'));
    last = piece[static_cast<std::size_t>(n - 1)];
  }
  return n_lines + (last == '\n' ? 0 : 1);
}

}  // namespace bitnet::service
