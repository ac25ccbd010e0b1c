#include "service/batch/batch_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/output_file.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "service/batch/batch.h"
#include "service/batch/batch_record.h"
#include "service/batch/line_list.h"

namespace bitnet::service {
namespace {

[[noreturn]] void refuse_to_write(const std::string& path, int error) {
  throw RuntimeError(printable(path, kMaxPrintedPath) + ": cannot be written: " +
                     std::generic_category().message(error) + "; choose another place for it");
}

}  // namespace

BatchFile::BatchFile(const std::string& path, Use use)
    : path_(path), file_(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)) {
  if (file_.get() < 0) {
    if (errno != ENOENT) refuse_to_write(path, errno);
    OutputFile::check(path);
    return;
  }
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) fail("cannot be looked at", errno);
  keeps_records_ = S_ISREG(status.st_mode);
  if (!keeps_records_) {
    if (use == Use::resume)
      throw UsageError("--resume: " + printable(path, kMaxPrintedPath) + " is no file that keeps records");
    return;
  }
  lock();
  if (status.st_size == 0) return;
  if (use == Use::begin) {
    throw UsageError(
        printable(path, kMaxPrintedPath) +
        " has something in it already: pass --resume to go on with it, --force to replace it, or "
        "another -o");
  }
  if (use == Use::resume) read_records();
  if (use == Use::replace) n_kept_ = 0;
}

void BatchFile::lock() const {
  // Some file systems of clusters know no locks: there it is up to who starts the processes.
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  throw RuntimeError(printable(path_, kMaxPrintedPath) +
                     ": another process is writing to it; wait for that, or give another -o");
}

void BatchFile::read_records() {
  RecordReader records(path_);
  while (records.next()) {
    const RecordName& name = records.name();
    builds_.insert(name.build());
    is_in_order_ &= records_.empty() || name.line > records_.rbegin()->first;
    records_[name.line] = {.key = name.key, .is_error = name.is_error};
  }
  n_kept_ = records.end();
}

void BatchFile::start() {
  if (file_.get() < 0) {
    file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    if (file_.get() < 0) refuse_to_write(path_, errno);
    lock();
    struct stat status {};
    if (::fstat(file_.get(), &status) != 0) fail("cannot be looked at", errno);
    if (status.st_size != 0) {
      throw RuntimeError(printable(path_, kMaxPrintedPath) +
                         ": another process has written to it meanwhile; give another -o");
    }
  }
  if (n_kept_ && ::ftruncate(file_.get(), static_cast<off_t>(*n_kept_)) != 0) fail("cannot be cut", errno);
}

bool BatchFile::check(const std::string& input, const LineRange& range, std::string_view settings) const {
  LineReader lines(input);
  std::set<std::size_t> found;
  bool is_gap_free = true;
  Line line;
  while (found.size() < records_.size() &&
         lines.next(line, range, /*wait=*/true, [] { return true; }) == LineReader::State::line) {
    if (earlier(line.number, batch_key(settings, line.text)) != Earlier::nothing) {
      found.insert(line.number);
    } else {
      is_gap_free = false;  // there are records of later lines
    }
  }
  LineList others;
  for (const auto& [number, record] : records_) {
    if (!found.contains(number)) others.add(number);
  }
  if (others.is_empty()) return is_in_order_ && is_gap_free;
  throw ModelError(printable(path_, kMaxPrintedPath),
                   "has records of lines " + others.text() + ", which are not asked for",
                   "give the input and the part of it of the earlier run, or another -o");
}

Earlier BatchFile::earlier(std::size_t line, std::string_view key) const {
  const auto known = records_.find(line);
  if (known == records_.end()) return Earlier::nothing;
  if (known->second.key == key) return known->second.is_error ? Earlier::error : Earlier::answer;
  throw ModelError(printable(path_, kMaxPrintedPath),
                   "its record of line " + std::to_string(line) +
                       " was made from another request, with other options or by another model",
                   "give those of the earlier run, or another -o");
}

void BatchFile::write(std::string_view record) {
  while (!record.empty()) {
    const ssize_t n = ::write(file_.get(), record.data(), record.size());
    // A signal while a pipe's reader keeps it waiting is the end of that.
    if (n < 0 && errno == EINTR && keeps_records_) continue;
    if (n < 0) fail("cannot be written", errno);
    record.remove_prefix(static_cast<std::size_t>(n));
  }
}

void BatchFile::finish() {
  // A pipe or device has nothing to bring anywhere.
  if (::fsync(file_.get()) != 0 && errno != EINVAL && errno != EROFS) fail("cannot be written", errno);
}

void BatchFile::fail(std::string_view action, int error) const {
  throw RuntimeError(printable(path_, kMaxPrintedPath) + ": " + std::string(action) + ": " +
                     std::generic_category().message(error) +
                     (keeps_records_ ? "; --resume goes on once that is mended" : ""));
}

}  // namespace bitnet::service
