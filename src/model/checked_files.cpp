#include "model/checked_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/descriptor.h"
#include "base/output_file.h"
#include "bitnet/error.h"

namespace bitnet {

// Little-endian, as it stands in the list.
struct CheckedFiles::Record {
  FileIdentity file;
  std::uint64_t header = 0;    // XXH3 of the bytes before the tensors' data
  std::uint64_t layout = 0;    // 1 and a LayoutVerdict on the model that this is a part of; 0: none
  std::uint64_t checksum = 0;  // of the above and of kCheckVersion

  bool operator==(const Record&) const = default;
};

namespace {

constexpr std::uint64_t kCheckVersion = 3;  // of what is looked for in the data, and of this format
constexpr std::string_view kFirstLine = "bitnet: model files that were checked\n";
constexpr std::string_view kAdvice = "the check is not remembered";

// The content of a small regular file of this user's; empty for any other.
std::string content_of(const std::string& path, std::size_t most) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return {};
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) return {};
  if (std::cmp_greater(status.st_size, most)) return {};
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t n = ::read(file.get(), content.data(), content.size());
  content.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return content;
}

std::int64_t nanoseconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace

static_assert(std::endian::native == std::endian::little);

CheckedFiles::CheckedFiles(std::string list, std::chrono::nanoseconds min_age)
    : list_(std::move(list)), latest_(nanoseconds_now() - min_age.count()) {}

std::vector<CheckedFiles::Record> CheckedFiles::read() const {
  static_assert(sizeof(Record) == 64 && std::has_unique_object_representations_v<Record>);
  const std::string content = content_of(list_, kFirstLine.size() + kMaxFiles * sizeof(Record));
  std::vector<Record> records;
  if (!content.starts_with(kFirstLine)) return records;
  std::string_view rest = std::string_view(content).substr(kFirstLine.size());
  for (; rest.size() >= sizeof(Record); rest.remove_prefix(sizeof(Record))) {
    std::memcpy(&records.emplace_back(), rest.data(), sizeof(Record));
  }
  return records;
}

namespace {

std::uint64_t number_of(std::optional<LayoutVerdict> layout) {
  return layout ? 1 + static_cast<std::uint64_t>(*layout) : 0;
}

// Numbers that none has are no verdict either.
std::optional<LayoutVerdict> verdict_of(std::uint64_t number) {
  if (number == 0 || number > number_of(LayoutVerdict::rows4)) return std::nullopt;
  return static_cast<LayoutVerdict>(number - 1);
}

template <typename Record>
Record with_layout(Record record, std::optional<LayoutVerdict> layout) {
  record.layout = number_of(layout);
  record.checksum = XXH3_64bits_withSeed(&record, offsetof(Record, checksum), kCheckVersion);
  return record;
}

// What stands in the list for a part, without a verdict; nullopt for bytes that are in no file.
template <typename Record>
std::optional<Record> record_of(const gguf::File& part) {
  const std::optional<FileIdentity> identity = part.identity();
  if (!identity) return std::nullopt;
  Record record;
  record.file = *identity;
  const auto header = part.bytes().first(std::min<std::size_t>(part.data_offset(), part.bytes().size()));
  record.header = XXH3_64bits(header.data(), header.size());
  return with_layout(record, std::nullopt);
}

}  // namespace

CheckedFiles::Known CheckedFiles::find(const gguf::File& file) const {
  const std::vector<Record> records = read();
  Known known;
  for (std::size_t i = 0; i < file.n_parts(); ++i) {
    const auto record = records.empty() ? std::nullopt : record_of<Record>(file.part(i));
    const auto found = std::ranges::find_if(
        records, [&](const Record& r) { return record && with_layout(*record, verdict_of(r.layout)) == r; });
    const bool is_listed = found != records.end();
    known.is_sound.push_back(is_listed);
    const auto layout = is_listed ? verdict_of(found->layout) : std::nullopt;
    known.layout = i == 0 || known.layout == layout ? layout : std::nullopt;
  }
  return known;
}

void CheckedFiles::add(const gguf::File& file, std::optional<LayoutVerdict> layout) const {
  std::vector<Record> records = read();  // with what other processes added
  bool is_new = false;
  for (std::size_t i = 0; i < file.n_parts(); ++i) {
    auto record = record_of<Record>(file.part(i));
    if (!record || std::max(record->file.modified, record->file.changed) > latest_) continue;
    record = with_layout(*record, layout);
    if (std::ranges::find(records, *record) != records.end()) continue;
    // An earlier state of the same file is of no use any more.
    std::erase_if(records, [&](const Record& r) {
      return r.file.device == record->file.device && r.file.inode == record->file.inode;
    });
    records.push_back(*record);
    is_new = true;
  }
  if (!is_new || is_something_else(list_)) return;
  if (records.size() > kMaxFiles) {
    records.erase(records.begin(), records.end() - static_cast<std::ptrdiff_t>(kMaxFiles));
  }
  try {
    OutputFile list(list_, kAdvice);
    list.write(kFirstLine);
    list.write(std::as_bytes(std::span(records)));
    list.commit(OutputFile::Durability::by_and_by);
  } catch (const RuntimeError&) {
    // Then it is checked again the next time.
  }
}

}  // namespace bitnet
