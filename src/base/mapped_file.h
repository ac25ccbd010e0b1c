// A file's bytes in memory, read-only: mapped or, where that cannot be had, read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/buffer.h"
#include "base/descriptor.h"

namespace bitnet {

// What a file system says of a file that differs once the file has been written to or replaced. Times are in
// nanoseconds since 1970.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  // of the content; anyone may set it
  std::int64_t changed = 0;   // of content, owner, name and the like; set by the kernel alone

  bool operator==(const FileIdentity&) const = default;
};

// Of the file under this name now; nullopt when there is none, or no way to it.
std::optional<FileIdentity> identity_of(const std::string& path);

// The bytes are those of the page cache: processes that map the same model share them, and only touched pages
// are read. The file must stay as it is while it is mapped; one that is cut short underneath raises SIGBUS.
// Some file systems (FUSE with direct_io, say) cannot map files: then all of it is read into memory instead.
class MappedFile {
 public:
  // Asked now and then, with the share that is done, while a file has to be read; false ends it with a
  // RuntimeError.
  using ReadHook = std::function<bool(double fraction)>;

  // The whole of a regular file. Throws ModelError naming the path when it cannot be opened, is not a
  // regular file, is empty or can be neither mapped nor read; RuntimeError when there is no room for it.
  explicit MappedFile(const std::string& path, const ReadHook& on_read = {});
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  // Valid until this object, or the one it was moved to, is destroyed.
  std::span<const std::byte> bytes() const { return {data_, identity_.size}; }

  // By the file's own word at opening.
  const FileIdentity& identity() const { return identity_; }

  // Why it could not be mapped and was read; empty: it is mapped.
  const std::string& why_read() const { return why_read_; }

  // Brings the whole pages among `bytes` in, where the system can do that at once (Linux 5.14).
  void populate(std::span<const std::byte> bytes) const;
  // Copies `bytes` without bringing their pages into this process. False where they can't be had so: part of
  // them may have been copied.
  bool read(std::span<const std::byte> bytes, std::byte* to) const;
  // Lets go of the whole pages among `bytes`; they are read anew when they are touched.
  void give_back(std::span<const std::byte> bytes) const;

 private:
  void read_all(const std::string& path, const ReadHook& on_read);
  void advise(std::span<const std::byte> bytes, int advice) const;

  Descriptor file_;
  const std::byte* data_ = nullptr;
  FileIdentity identity_;
  std::string why_read_;
  AnonymousMemory memory_;  // where it was read to
};

}  // namespace bitnet
