#include "service/batch/batch_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "service/request/generation_request.h"

namespace bitnet::service {
namespace {

struct RecordName {
  std::size_t line = 0;
  std::string key;
  bool is_error = false;
};

// Of a record, a line without its end; nullopt: it is none.
std::optional<RecordName> name_of_record(std::string_view text) {
  try {
    const Json record = parse_request(text);
    if (record.at("schema") != "bitnet.batch" || record.at("version") != 1) return std::nullopt;
    if (!record.at("line").is_number_unsigned()) return std::nullopt;
    return RecordName{record.at("line").get<std::size_t>(), record.at("key").get<std::string>(),
                      record.contains("error")};
  } catch (const FieldError&) {
  } catch (const Json::exception&) {
  }
  return std::nullopt;
}

[[noreturn]] void refuse_record(const std::string& path, std::size_t number) {
  throw ModelError(printable(path, kMaxPrintedPath) + ": line " + std::to_string(number),
                   "is no record of bitnet batch", "name a file that it wrote");
}

}  // namespace

BatchFile::BatchFile(const std::string& path, bool resume)
    : path_(path), file_(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (file_.get() < 0) fail("cannot be written", errno);
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) fail("cannot be looked at", errno);
  if (!S_ISREG(status.st_mode)) {
    if (resume)
      throw UsageError("--resume: " + printable(path, kMaxPrintedPath) + " is no file that keeps records");
    return;
  }
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw RuntimeError(printable(path, kMaxPrintedPath) +
                       ": another process is writing to it; wait for that, or give another -o");
  }
  if (status.st_size == 0) return;
  if (!resume) {
    throw UsageError(printable(path, kMaxPrintedPath) +
                     " has something in it already: pass --resume to go on with it, or another -o");
  }
  read_records();
}

void BatchFile::read_records() {
  std::ifstream in(path_, std::ios::binary);
  std::string text;
  std::size_t n_whole = 0;  // bytes
  for (std::size_t number = 1; std::getline(in, text); ++number) {
    const bool is_whole = !in.eof();
    std::optional<RecordName> name = name_of_record(text);
    if (!is_whole) {
      // Cut off by whatever ended the earlier run, or nothing of ours.
      if (number == 1 && !name && !text.starts_with(R"({"schema":"bitnet.batch")"))
        refuse_record(path_, number);
      break;
    }
    if (!name) refuse_record(path_, number);
    n_failed_ += name->is_error;
    keys_[name->line] = std::move(name->key);
    n_whole += text.size() + 1;
  }
  if (in.bad()) fail("cannot be read", EIO);
  if (::ftruncate(file_.get(), static_cast<off_t>(n_whole)) != 0) fail("cannot be cut", errno);
}

bool BatchFile::has(std::size_t line, std::string_view key) const {
  const auto known = keys_.find(line);
  if (known == keys_.end()) return false;
  if (known->second == key) return true;
  throw ModelError(printable(path_, kMaxPrintedPath),
                   "its record of line " + std::to_string(line) +
                       " was made from another request, with other options or by another model",
                   "give those of the earlier run, or another -o");
}

void BatchFile::write(std::string_view record) {
  while (!record.empty()) {
    const ssize_t n = ::write(file_.get(), record.data(), record.size());
    if (n < 0 && errno == EINTR) continue;
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
                     std::generic_category().message(error) + "; --resume goes on once that is mended");
}

MergedBatches merge_batches(const std::vector<std::string>& parts) {
  struct Record {
    std::string text;
    const std::string* part;
  };
  std::map<std::size_t, Record> records;
  for (const std::string& part : parts) {
    std::ifstream in(part, std::ios::binary);
    if (!in) {
      throw ModelError(printable(part, kMaxPrintedPath),
                       "cannot be read: " + std::generic_category().message(errno));
    }
    std::string text;
    for (std::size_t number = 1; std::getline(in, text); ++number) {
      const std::optional<RecordName> name = name_of_record(text);
      if (!name || in.eof()) refuse_record(part, number);
      const auto [at, is_new] = records.try_emplace(name->line, Record{text, &part});
      if (is_new || at->second.text == text) continue;
      throw ModelError(printable(part, kMaxPrintedPath),
                       "its record of line " + std::to_string(name->line) + " is another than that of " +
                           printable(*at->second.part, kMaxPrintedPath),
                       "name the parts of one batch");
    }
    if (in.bad()) throw RuntimeError(printable(part, kMaxPrintedPath) + ": cannot be read");
  }
  MergedBatches merged;
  merged.n_records = records.size();
  std::size_t next = 1;
  for (const auto& [line, record] : records) {
    if (line > next) {
      if (!merged.gaps.empty()) merged.gaps += ", ";
      merged.gaps += std::to_string(next);
      if (line > next + 1) merged.gaps.append("-").append(std::to_string(line - 1));
    }
    next = line + 1;
    merged.text.append(record.text).append("\n");
  }
  return merged;
}

}  // namespace bitnet::service
