// Files that appear under their name only when they are whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bitnet {

struct ListedTemporary;

// Whether what stands under a name is anything but a regular file: opening a pipe may wait for ever, and a
// device is not to be overwritten by what is kept beside a model.
bool is_something_else(const std::string& path);

// Written under a temporary name beside its own and renamed by commit(): whoever looks at the name sees the
// old file or all of the new one. A link is followed; a pipe or device is written to directly.
class OutputFile {
 public:
  // Throws RuntimeError when the file cannot be made; an existing file keeps its content until commit().
  // `advice` ends the messages of all errors.
  // `ending`: of the path, that the temporary name shall have too.
  explicit OutputFile(const std::string& path, std::string_view advice = "choose another place for it",
                      std::string_view ending = {});
  // Throws as the constructor would now, and leaves nothing behind: for work that is only worth doing if its
  // result can be saved.
  static void check(const std::string& path);
  // Of all objects that are there: for a handler of signals, before it ends the process.
  static void remove_all_temporaries() noexcept;
  // Without commit() the temporary file goes, and what stood under the name stays.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Appends. Throws RuntimeError, e.g. when the disk is full.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  // Elsewhere than at the end, in a file that has a temporary name; several threads may do so at once. What
  // was never written is 0.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) const;
  // Lets the system begin to bring this part to the disk, where it can be told to, so that commit() has less
  // to wait for. Changes nothing else.
  void start_sync(std::uint64_t offset, std::uint64_t n_bytes) const;
  // The file's size, likewise. Throws where the disk is known to have no room for it.
  void resize(std::uint64_t n_bytes) const;
  // Where it can be read until it has its own name; empty for a pipe or device.
  const std::string& temporary_name() const { return temporary_; }
  // When the content reaches the disk. at_once brings it there before it has its name, and the name before
  // it returns: a power cut leaves the old file or the new one. by_and_by doesn't wait: the file may be empty
  // or garbled then, under its name.
  enum class Durability { at_once, by_and_by };
  // Brings the file to the disk and gives it its name; nothing may be written afterwards. Throws
  // RuntimeError.
  void commit(Durability durability = Durability::at_once);

 private:
  void sync_directory() const;
  [[noreturn]] void fail(std::string_view action, int error) const;
  void follow_dangling_links();
  void open_temporary(std::string_view ending);

  std::string path_;  // the name asked for, for messages
  std::string advice_;
  std::string target_;     // with links followed
  std::string temporary_;  // empty: target_ is a pipe or device
  ListedTemporary* listed_ = nullptr;
  int descriptor_ = -1;
};

}  // namespace bitnet
