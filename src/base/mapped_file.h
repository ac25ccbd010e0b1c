// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace bitnet {

// The bytes are those of the page cache: processes that map the same model share them, and only touched pages
// are read. The file must stay as it is while it is mapped; one that is cut short underneath raises SIGBUS.
class MappedFile {
 public:
  // Maps the whole of a regular file. Throws ModelError naming the path when it cannot be opened, is not a
  // regular file, is empty or cannot be mapped.
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  // Valid until this object, or the one it was moved to, is destroyed.
  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // When the file was last changed, by its own word at opening: nanoseconds since 1970.
  std::int64_t modified() const { return modified_; }

  // Brings the whole pages among `bytes` in, where the system can do that at once (Linux 5.14).
  void populate(std::span<const std::byte> bytes) const;
  // Lets go of the whole pages among `bytes`; they are read anew when they are touched.
  void give_back(std::span<const std::byte> bytes) const;

 private:
  void advise(std::span<const std::byte> bytes, int advice) const;

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::int64_t modified_ = 0;
};

}  // namespace bitnet
