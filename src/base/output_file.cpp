#include "base/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/descriptor.h"
#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet {

// A name that a signal's handler may read at any time: places are used again and never freed.
struct ListedTemporary {
  std::atomic<bool> is_taken = false;
  std::atomic<bool> is_there = false;
  std::array<char, PATH_MAX> path{};
  ListedTemporary* next = nullptr;
};

namespace {

std::atomic<ListedTemporary*> g_temporaries = nullptr;

// nullptr for a name that is too long, which no system takes.
ListedTemporary* list_temporary(const std::string& path) {
  if (path.size() >= PATH_MAX) return nullptr;
  ListedTemporary* place = g_temporaries;
  while (place != nullptr && place->is_taken.exchange(true)) place = place->next;
  if (place == nullptr) {
    place = new ListedTemporary;
    place->is_taken = true;
    place->next = g_temporaries;
    while (!g_temporaries.compare_exchange_weak(place->next, place)) {
    }
  }
  *std::ranges::copy(path, place->path.begin()).out = '\0';
  place->is_there = true;
  return place;
}

void unlist_temporary(ListedTemporary* place) {
  if (place == nullptr) return;
  place->is_there = false;
  place->is_taken = false;
}

#ifdef __linux__
// Whether its file system writes down that room belongs to a file, in place of filling it with zeros, which
// may take as long as writing the file.
bool reserves_at_once(int descriptor) {
  constexpr std::array<std::uint64_t, 4> kKnown{0xEF53, 0x58465342, 0x9123683E,
                                                0xF2F52010};  // ext, XFS, Btrfs, F2FS
  struct statfs about {};
  return ::fstatfs(descriptor, &about) == 0 &&
         std::ranges::find(kKnown, static_cast<std::uint64_t>(about.f_type)) != kKnown.end();
}
#endif

}  // namespace

bool is_something_else(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

void OutputFile::remove_all_temporaries() noexcept {
  for (const ListedTemporary* place = g_temporaries; place != nullptr; place = place->next) {
    if (place->is_there) ::unlink(place->path.data());
  }
}

OutputFile::OutputFile(const std::string& path, std::string_view advice, std::string_view ending)
    : path_(path), advice_(advice), target_(path) {
  std::error_code error;
  if (const auto resolved = std::filesystem::weakly_canonical(path, error); !error) target_ = resolved;
  follow_dangling_links();
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) fail("cannot write the file", EISDIR);
    if (!S_ISREG(status.st_mode)) {
      descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
      if (descriptor_ < 0) fail("cannot open the file", errno);
      return;
    }
  }
  open_temporary(ending);
  // Who could not read the old file shall not read the new one.
  if (status.st_mode != 0) ::fchmod(descriptor_, status.st_mode & 07777);
}

// To what is not there yet a link is followed too.
void OutputFile::follow_dangling_links() {
  namespace fs = std::filesystem;
  constexpr int kMostLinks = 40;
  std::error_code error;
  for (int i = 0; fs::is_symlink(fs::symlink_status(target_, error)); ++i) {
    if (i == kMostLinks) fail("cannot make the file", ELOOP);
    const fs::path link = fs::read_symlink(target_, error);
    if (error) return;
    target_ = (fs::path(target_).parent_path() / link).lexically_normal();
  }
}

// A name that is free: of another process, or left by one that was killed, there may be one already.
void OutputFile::open_temporary(std::string_view ending) {
  constexpr int kAttempts = 100;
  if (!target_.ends_with(ending)) ending = {};
  const std::string stem = target_.substr(0, target_.size() - ending.size());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    temporary_ = stem + ".tmp" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
    temporary_ += ending;
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) {
      listed_ = list_temporary(temporary_);
      return;
    }
    if (errno != EEXIST) break;
  }
  const int error = errno;
  temporary_.clear();
  fail("cannot make the file", error);
}

void OutputFile::check(const std::string& path) {
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    // To open a named pipe and close it again would end it for its reader.
    if (::access(path.c_str(), W_OK) == 0) return;
  }
  const OutputFile probe(path);
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  unlist_temporary(listed_);
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      fail("cannot write the file", errno);
    }
  }
}

void OutputFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void OutputFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) const {
  // One thread at a time writes to a file: what has much to write lets others in between.
  constexpr std::size_t kAtOnce = std::size_t{1} << 18;
  while (!bytes.empty()) {
    const ssize_t n =
        ::pwrite(descriptor_, bytes.data(), std::min(bytes.size(), kAtOnce), static_cast<off_t>(offset));
    if (n >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    } else if (errno != EINTR) {
      fail("cannot write the file", errno);
    }
  }
}

void OutputFile::start_sync([[maybe_unused]] std::uint64_t offset,
                            [[maybe_unused]] std::uint64_t n_bytes) const {
#ifdef SYNC_FILE_RANGE_WRITE
  ::sync_file_range(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(n_bytes),
                    SYNC_FILE_RANGE_WRITE);
#endif
}

void OutputFile::resize(std::uint64_t n_bytes) const {
#ifdef __linux__
  // With its room on the disk: a full one is known before the work, and writing takes a quarter less.
  if (reserves_at_once(descriptor_)) {
    int error = 0;
    do error = ::fallocate(descriptor_, 0, 0, static_cast<off_t>(n_bytes)) == 0 ? 0 : errno;
    while (error == EINTR);
    if (error == 0) return;
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) fail("cannot write the file", error);
  }
#endif
  if (::ftruncate(descriptor_, static_cast<off_t>(n_bytes)) != 0) fail("cannot write the file", errno);
}

void OutputFile::commit(Durability durability) {
  if (temporary_.empty()) return;
  if (durability == Durability::at_once && ::fsync(descriptor_) != 0) fail("cannot write the file", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot name the file", errno);
  temporary_.clear();
  unlist_temporary(std::exchange(listed_, nullptr));
  if (durability == Durability::at_once) sync_directory();
}

// Some file systems know no such thing of directories, and some directories may be written to and not read:
// there the name follows when the system gets to it.
void OutputFile::sync_directory() const {
  const std::filesystem::path parent = std::filesystem::path(target_).parent_path();
  const Descriptor directory(
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) == 0) return;
  if (errno == EIO || errno == ENOSPC || errno == EDQUOT)
    fail("cannot bring the file's name to the disk", errno);
}

void OutputFile::fail(std::string_view action, int error) const {
  throw RuntimeError(printable(path_, kMaxPrintedPath) + ": " + std::string(action) + ": " +
                     std::generic_category().message(error) + "; " + advice_);
}

}  // namespace bitnet
