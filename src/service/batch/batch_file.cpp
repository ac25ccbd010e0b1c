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

#include "base/joined.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "service/batch/batch.h"
#include "service/request/generation_request.h"

namespace bitnet::service {
namespace {

struct RecordName {
  std::size_t line = 0;
  std::string settings;
  std::string key;
  bool is_error = false;
};

// Of a record, a line without its end; nullopt: it is none.
std::optional<RecordName> name_of_record(std::string_view text) {
  try {
    const Json record = parse_request(text);
    if (record.at("schema") != "bitnet.batch" || record.at("version") != 1) return std::nullopt;
    if (!record.at("line").is_number_unsigned()) return std::nullopt;
    return RecordName{record.at("line").get<std::size_t>(), record.at("settings").get<std::string>(),
                      record.at("key").get<std::string>(), record.contains("error")};
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

BatchFile::BatchFile(const std::string& path, Use use)
    : path_(path), file_(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (file_.get() < 0) fail("cannot be written", errno);
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) fail("cannot be looked at", errno);
  if (!S_ISREG(status.st_mode)) {
    if (use == Use::resume)
      throw UsageError("--resume: " + printable(path, kMaxPrintedPath) + " is no file that keeps records");
    return;
  }
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw RuntimeError(printable(path, kMaxPrintedPath) +
                       ": another process is writing to it; wait for that, or give another -o");
  }
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

void BatchFile::read_records() {
  std::ifstream in(path_, std::ios::binary);
  std::string text;
  std::size_t n_whole = 0;
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
  n_kept_ = n_whole;
}

void BatchFile::start() {
  if (n_kept_ && ::ftruncate(file_.get(), static_cast<off_t>(*n_kept_)) != 0) fail("cannot be cut", errno);
}

void BatchFile::check(const std::string& input, const LineRange& range, std::string_view settings) const {
  LineReader lines(input);
  std::size_t n_left = keys_.size();
  Line line;
  while (n_left > 0 &&
         lines.next(line, range, /*wait=*/true, [] { return true; }) == LineReader::State::line) {
    if (has(line.number, batch_key(settings, line.text))) --n_left;
  }
  if (n_left == 0) return;
  throw ModelError(printable(path_, kMaxPrintedPath),
                   "has records of " + std::to_string(n_left) + " lines that are not asked for",
                   "give the input and the part of it of the earlier run, or another -o");
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

namespace {

struct MergedRecord {
  std::string text;
  RecordName name;
  const std::string* part;
};
using MergedRecords = std::map<std::size_t, MergedRecord>;  // by line

void add_part(const std::string& part, MergedRecords& records) {
  const std::string shown = printable(part, kMaxPrintedPath);
  const auto refuse = [&](const std::string& what, const std::string& other) {
    throw ModelError(shown, what + printable(other, kMaxPrintedPath), "name the parts of one batch");
  };
  std::ifstream in(part, std::ios::binary);
  if (!in) throw ModelError(shown, "cannot be read: " + std::generic_category().message(errno));
  std::string text;
  for (std::size_t number = 1; std::getline(in, text); ++number) {
    const std::optional<RecordName> name = name_of_record(text);
    if (!name || in.eof()) refuse_record(part, number);
    const auto [at, is_new] = records.try_emplace(name->line, MergedRecord{text, *name, &part});
    if (!is_new && at->second.text != text) {
      refuse("its record of line " + std::to_string(name->line) + " is another than that of ",
             *at->second.part);
    }
    const MergedRecord& first = records.begin()->second;
    if (first.name.settings != name->settings) {
      refuse("it was made with other options or by another model than ", *first.part);
    }
  }
  if (in.bad()) throw RuntimeError(shown + ": cannot be read");
}

// "3, 17-20", of lines that are added in their order.
class LineList {
 public:
  void add(std::size_t first, std::size_t last) {
    if (!ranges_.empty() && ranges_.back().last + 1 == first) {
      ranges_.back().last = last;
    } else {
      ranges_.push_back({first, last});
    }
  }
  std::string text() const {
    return joined(ranges_, [](const LineRange& range) {
      const std::string first = std::to_string(range.first);
      return range.first == range.last ? first : first + "-" + std::to_string(range.last);
    });
  }

 private:
  std::vector<LineRange> ranges_;
};

void check_against(const std::string& input, const MergedRecords& records) {
  LineReader lines(input);
  LineList missing;
  Line line;
  std::size_t n_found = 0;
  while (lines.next(line, {}, /*wait=*/true, [] { return true; }) == LineReader::State::line) {
    const auto at = records.find(line.number);
    if (at == records.end()) {
      missing.add(line.number, line.number);
      continue;
    }
    ++n_found;
    const MergedRecord& record = at->second;
    if (record.name.key == batch_key(record.name.settings, line.text)) continue;
    throw ModelError(printable(*record.part, kMaxPrintedPath),
                     "its record of line " + std::to_string(line.number) + " was made from another request",
                     "name the parts of this input");
  }
  const std::string shown = printable(input, kMaxPrintedPath);
  if (const std::string list = missing.text(); !list.empty()) {
    throw ModelError(shown, "no part has a record of lines " + list,
                     "name the part that has them, or finish it with --resume");
  }
  if (n_found == records.size()) return;
  throw ModelError(
      shown,
      "the parts have " + std::to_string(records.size() - n_found) + " records of lines that are not there",
      "name the input that they were made from");
}

}  // namespace

MergedBatches merge_batches(const std::vector<std::string>& parts, const std::optional<std::string>& input) {
  MergedRecords records;
  for (const std::string& part : parts) add_part(part, records);
  if (input) check_against(*input, records);
  MergedBatches merged;
  merged.n_records = records.size();
  LineList gaps;
  std::size_t next = 1;
  for (const auto& [line, record] : records) {
    if (line > next && !input) gaps.add(next, line - 1);
    next = line + 1;
    merged.text.append(record.text).append("\n");
  }
  merged.gaps = gaps.text();
  return merged;
}

}  // namespace bitnet::service
