#include "base/late_library.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/descriptor.h"
#include "bitnet/error.h"

namespace bitnet {
namespace {

// A file with those bytes, for the loader takes files alone: one in memory or, where the system has no such,
// in the folder for temporary ones until it is loaded.
class LibraryFile {
 public:
  LibraryFile(std::span<const std::byte> bytes, std::string_view use) {
#ifdef __linux__
    file_ = Descriptor(::memfd_create("bitnet", MFD_CLOEXEC));
    path_ = "/proc/self/fd/" + std::to_string(file_.get());
#else
    const char* const folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr ? folder : "/tmp") + "/bitnet-XXXXXX";
    file_ = Descriptor(::mkstemp(path_.data()));
    is_to_be_removed_ = file_.get() >= 0;
#endif
    while (file_.get() >= 0 && !bytes.empty()) {
      const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    if (!bytes.empty()) {
      const int error = errno;
      remove();
      throw RuntimeError(std::string(use) +
                         " cannot be had: no file for its library: " + std::strerror(error));
    }
  }
  ~LibraryFile() { remove(); }
  LibraryFile(const LibraryFile&) = delete;
  LibraryFile& operator=(const LibraryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  void remove() const {
    if (is_to_be_removed_) ::unlink(path_.c_str());
  }

  Descriptor file_;
  std::string path_;
  bool is_to_be_removed_ = false;
};

}  // namespace

LateLibrary::LateLibrary(const std::string& file, std::string_view use) : file_(file) { load(use); }

LateLibrary::LateLibrary(std::span<const std::byte> bytes, std::string_view use) {
  const LibraryFile file(bytes, use);
  file_ = file.path();
  load(use);
}

void LateLibrary::load(std::string_view use) {
  handle_ = ::dlopen(file_.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle_ != nullptr) return;
  const char* const why = ::dlerror();  // names the file
  throw RuntimeError(std::string(use) + " cannot be had: " + (why != nullptr ? why : file_.c_str()) +
                     "; install the library that has it");
}

LateLibrary::Function LateLibrary::operator[](const char* name) const {
  void* const address = ::dlsym(handle_, name);
  if (address == nullptr) {
    throw RuntimeError(file_ + " has no function " + name +
                       "; install the version that bitnet was built with");
  }
  return Function(address);
}

}  // namespace bitnet
