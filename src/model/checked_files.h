// Model files whose data was read through and found sound, and what was found out about it, remembered from
// one start to the next.
//
// A file is known by what its file system says of it (FileIdentity: device, inode, size, and the times of the
// last change of its content and of anything else about it), by a digest of its header, and by the version of
// the check. Whoever writes to the file changes one of these: the last time cannot be set by programs, and a
// file is only remembered when that lies back so far that a later change gets another.
//
// The list is a file of some kilobytes at most: a line of text, then records of a fixed size, each with a
// checksum of its own. Whatever is wrong with it, it is as if it were empty.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "gguf/gguf.h"
#include "model/i2s/layout_choice.h"

namespace bitnet {

class CheckedFiles {
 public:
  static constexpr std::size_t kMaxFiles = 120;  // the last that were added

  // Made before the check begins: by then the files' last change must be older than min_age.
  CheckedFiles(std::string list, std::chrono::nanoseconds min_age);

  struct Known {
    std::vector<bool> is_sound{};           // for each part whether it is listed; may be empty
    std::optional<LayoutVerdict> layout{};  // of the whole; none if a part is not listed, or it wasn't judged
  };
  Known find(const gguf::File& file) const;
  // All parts that are old enough and not listed yet, or with another verdict on the whole. Does nothing
  // where the list cannot be written.
  void add(const gguf::File& file, std::optional<LayoutVerdict> layout) const;

 private:
  struct Record;
  std::vector<Record> read() const;

  std::string list_;
  std::int64_t latest_;  // that a file may have been changed
};

}  // namespace bitnet
