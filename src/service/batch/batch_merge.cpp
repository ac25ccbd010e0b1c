#include "service/batch/batch_merge.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <span>
#include <system_error>
#include <utility>

#include "base/descriptor.h"
#include "base/file_node.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "service/batch/batch.h"
#include "service/batch/line_reader.h"

namespace bitnet::service {
namespace {

// Records at their places in the parts, of which one is open.
class PartRecords {
 public:
  explicit PartRecords(const std::vector<std::string>& parts) : parts_(parts) {}

  // Valid until the next.
  std::string_view read(std::size_t part, std::uint64_t offset, std::size_t size) {
    if (part_ != part) file_ = Descriptor(::open(parts_[part].c_str(), O_RDONLY | O_CLOEXEC));
    part_ = part;
    text_.resize(size);
    if (!file_.read_at(offset, std::as_writable_bytes(std::span(text_)))) {
      throw RuntimeError(printable(parts_[part], kMaxPrintedPath) +
                         ": cannot be read again: it was changed while it was joined");
    }
    return text_;
  }

 private:
  const std::vector<std::string>& parts_;
  std::optional<std::size_t> part_;
  Descriptor file_;
  std::string text_;
};

void check_part(const std::string& path) {
  const std::string shown = printable(path, kMaxPrintedPath);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    throw ModelError(shown, "cannot be read: " + std::generic_category().message(errno));
  }
  if (!file_node(file.get())) {
    throw ModelError(shown, "is no regular file, and is read twice", "name the file of a part");
  }
  if (::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw ModelError(shown, "is being written by another process", "wait for its end");
  }
}

}  // namespace

BatchMerge::BatchMerge(std::vector<std::string> parts, const std::optional<std::string>& input)
    : parts_(std::move(parts)) {
  for (std::size_t i = 0; i < parts_.size(); ++i) add(i);
  if (input) {
    check_against(*input);
    return;
  }
  std::size_t next = 1;
  for (const auto& [line, record] : records_) {
    if (line > next) gaps_.add(next, line - 1);
    next = line + 1;
  }
}

void BatchMerge::add(std::size_t part) {
  const auto refuse = [&](const std::string& what) {
    throw ModelError(shown(part), what, "name the parts of one batch");
  };
  check_part(parts_[part]);
  RecordReader reader(parts_[part]);
  PartRecords others(parts_);
  while (reader.next()) {
    const RecordName& name = reader.name();
    if (!first_part_) settings_ = name.settings;
    const std::size_t first_part = first_part_.value_or(part);
    first_part_ = first_part;
    const auto [at, is_new] = records_.try_emplace(
        name.line,
        Record{.part = part, .offset = reader.offset(), .size = reader.text().size(), .key = name.key});
    const Record& known = at->second;
    if (!is_new && others.read(known.part, known.offset, known.size) != reader.text()) {
      refuse("its record of line " + std::to_string(name.line) + " is another than that of " +
             shown(known.part));
    }
    if (settings_ != name.settings) {
      refuse("it was made with other options or by another model than " + shown(first_part));
    }
    builds_.insert(name.build());
  }
  if (reader.is_torn()) {
    throw ModelError(shown(part), "its last record is not whole", "finish the part with --resume");
  }
}

void BatchMerge::check_against(const std::string& input) const {
  LineReader lines(input);
  LineList missing;
  Line line;
  auto record = records_.begin();
  LineList foreign;
  while (lines.next(line, {}, /*wait=*/true, [] { return true; }) == LineReader::State::line) {
    for (; record != records_.end() && record->first < line.number; ++record) foreign.add(record->first);
    if (record == records_.end() || record->first != line.number) {
      missing.add(line.number);
      continue;
    }
    if (record->second.key != batch_key(settings_, line.text)) {
      throw ModelError(shown(record->second.part),
                       "its record of line " + std::to_string(line.number) + " was made from another request",
                       "name the parts of this input");
    }
    ++record;
  }
  for (; record != records_.end(); ++record) foreign.add(record->first);
  const std::string shown_input = printable(input, kMaxPrintedPath);
  if (!missing.is_empty()) {
    throw ModelError(shown_input, "no part has a record of lines " + missing.text(),
                     "name the part that has them, or finish it with --resume");
  }
  if (!foreign.is_empty()) {
    throw ModelError(shown_input,
                     "has no request in lines " + foreign.text() + ", of which there are records",
                     "name the input that the parts were made from");
  }
}

void BatchMerge::write(const std::function<void(std::string_view record)>& sink) const {
  PartRecords records(parts_);
  for (const auto& [line, record] : records_) sink(records.read(record.part, record.offset, record.size));
}

std::string BatchMerge::shown(std::size_t part) const { return printable(parts_[part], kMaxPrintedPath); }

}  // namespace bitnet::service
