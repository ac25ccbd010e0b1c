#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/descriptor.h"
#include "base/mapping_list.h"
#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

[[noreturn]] void refuse(const std::string& path, std::string_view what, std::string_view hint) {
  throw ModelError(printable(path, kMaxPrintedPath), what, hint);
}

[[noreturn]] void refuse_errno(const std::string& path, std::string_view action, int error) {
  const std::string what = std::string(action) + ": " + std::generic_category().message(error);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      refuse(path, what, "check the path");
    case EACCES:
    case EPERM:
      refuse(path, what, "give this user permission to read it");
    default:
      refuse(path, what, {});
  }
}

constexpr std::size_t kReadBytes = std::size_t{16} << 20;  // between two questions whether to go on

std::int64_t nanoseconds(const timespec& t) { return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; }

FileIdentity identity_of(const struct stat& s) {
#if defined(__APPLE__)
  const timespec& modified = s.st_mtimespec;
  const timespec& changed = s.st_ctimespec;
#else
  const timespec& modified = s.st_mtim;
  const timespec& changed = s.st_ctim;
#endif
  return {.device = static_cast<std::uint64_t>(s.st_dev),
          .inode = static_cast<std::uint64_t>(s.st_ino),
          .size = static_cast<std::uint64_t>(s.st_size),
          .modified = nanoseconds(modified),
          .changed = nanoseconds(changed)};
}

// Errors by which a file system, or what guards it, says that it cannot map this file.
bool may_be_read_instead(int error) {
  return error == ENODEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == EACCES ||
         error == EPERM;
}

}  // namespace

std::optional<FileIdentity> identity_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return identity_of(status);
}

MappedFile::MappedFile(const std::string& path, const ReadHook& on_read) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer; it means nothing for regular files.
  file_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file_.get() < 0) refuse_errno(path, "cannot open the file", errno);
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) refuse_errno(path, "cannot examine the file", errno);
  if (S_ISDIR(status.st_mode)) refuse(path, "is a directory", "name the model file inside it");
  if (!S_ISREG(status.st_mode)) {
    refuse(path, "is a pipe or device, which cannot be mapped", "save it to a regular file first");
  }
  if (status.st_size == 0) refuse(path, "the file is empty", "download or convert the model again");
  if (std::cmp_greater(status.st_size, std::numeric_limits<std::size_t>::max())) {
    refuse(path, "the file does not fit this machine's address space", "use a 64-bit machine");
  }
  identity_ = identity_of(status);
  void* const address = ::mmap(nullptr, identity_.size, PROT_READ, MAP_PRIVATE, file_.get(), 0);
  if (address != MAP_FAILED) {
    data_ = static_cast<const std::byte*>(address);
    list_mapping(address, identity_.size, path);
    return;
  }
  if (errno == ENOMEM) {
    refuse_memory(address_space_room(), identity_.size,
                  {("mapping " + printable(path, kMaxPrintedPath)).c_str()});
  }
  if (!may_be_read_instead(errno)) refuse_errno(path, "cannot map the file", errno);
  why_read_ = std::generic_category().message(errno);
  read_all(path, on_read);
}

void MappedFile::read_all(const std::string& path, const ReadHook& on_read) {
  memory_ = AnonymousMemory(identity_.size, "the file, which cannot be mapped");
  memory_.prefer_huge_pages();
  auto* const to = static_cast<std::byte*>(memory_.data());
  for (std::size_t at = 0; at < identity_.size;) {
    if (on_read && !on_read(static_cast<double>(at) / static_cast<double>(identity_.size))) {
      throw RuntimeError(printable(path, kMaxPrintedPath) + ": reading was ended by request");
    }
    const std::size_t wanted = std::min(kReadBytes, identity_.size - at);
    const ssize_t n = ::pread(file_.get(), to + at, wanted, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) refuse_errno(path, "cannot read the file", errno);
    if (n == 0) refuse(path, "the file became shorter while it was read", "try again when it is whole");
    at += static_cast<std::size_t>(n);
  }
  data_ = to;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : file_(std::move(other.file_)),
      data_(std::exchange(other.data_, nullptr)),
      identity_(std::exchange(other.identity_, {})),
      why_read_(std::move(other.why_read_)),
      memory_(std::move(other.memory_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  MappedFile moved(std::move(other));
  std::swap(file_, moved.file_);
  std::swap(data_, moved.data_);
  std::swap(identity_, moved.identity_);
  std::swap(why_read_, moved.why_read_);
  std::swap(memory_, moved.memory_);
  return *this;
}

void MappedFile::populate([[maybe_unused]] std::span<const std::byte> bytes) const {
#ifdef MADV_POPULATE_READ
  advise(bytes, MADV_POPULATE_READ);
#endif
}

bool MappedFile::read(std::span<const std::byte> bytes, std::byte* to) const {
  return memory_.data() == nullptr &&
         file_.read_at(static_cast<std::uint64_t>(bytes.data() - data_), {to, bytes.size()});
}

void MappedFile::give_back(std::span<const std::byte> bytes) const { advise(bytes, MADV_DONTNEED); }

// A wish, whose answer changes no result. Of memory there is nothing to be had back: it would be zeros.
void MappedFile::advise(std::span<const std::byte> bytes, int advice) const {
  if (memory_.data() != nullptr) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(bytes.data() - data_);
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + bytes.size()) / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, advice);
}

MappedFile::~MappedFile() {
  if (data_ == nullptr || memory_.data() != nullptr) return;
  // A new name or owner changes nothing of what was read.
  struct stat status {};
  const bool has_changed =
      ::fstat(file_.get(), &status) == 0 &&
      (identity_of(status).modified != identity_.modified || identity_of(status).size != identity_.size);
  unlist_mapping(data_, has_changed);
  ::munmap(const_cast<std::byte*>(data_), identity_.size);
}

}  // namespace bitnet
