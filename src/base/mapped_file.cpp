#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

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

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer; it means nothing for regular files.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) refuse_errno(path, "cannot open the file", errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) refuse_errno(path, "cannot examine the file", errno);
  if (S_ISDIR(status.st_mode)) refuse(path, "is a directory", "name the model file inside it");
  if (!S_ISREG(status.st_mode)) {
    refuse(path, "is a pipe or device, which cannot be mapped", "save it to a regular file first");
  }
  if (status.st_size == 0) refuse(path, "the file is empty", "download or convert the model again");
  if (std::cmp_greater(status.st_size, std::numeric_limits<std::size_t>::max())) {
    refuse(path, "the file does not fit this machine's address space", "use a 64-bit machine");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) refuse_errno(path, "cannot map the file", errno);
  data_ = static_cast<const std::byte*>(address);
  size_ = size;
  modified_ = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      modified_(other.modified_) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  MappedFile moved(std::move(other));
  std::swap(data_, moved.data_);
  std::swap(size_, moved.size_);
  std::swap(modified_, moved.modified_);
  return *this;
}

void MappedFile::populate([[maybe_unused]] std::span<const std::byte> bytes) const {
#ifdef MADV_POPULATE_READ
  advise(bytes, MADV_POPULATE_READ);
#endif
}

void MappedFile::give_back(std::span<const std::byte> bytes) const { advise(bytes, MADV_DONTNEED); }

// A wish, whose answer changes no result.
void MappedFile::advise(std::span<const std::byte> bytes, int advice) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(bytes.data() - data_);
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + bytes.size()) / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, advice);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace bitnet
