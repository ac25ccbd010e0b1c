// A copy of the LM head in a file, so that it is made once: that in int8 in MODEL.int8-head, the screen in
// MODEL.screened-head, beside the model or in another directory.
//
// The file, little-endian: a header of 128 bytes, then the copy as Int8Head or HeadScreen has it. The header
// says from what the copy was made (HeadOrigin) and holds a checksum of everything. A file is used only if
// all of it is as it would be written now; sizes come from the model, never from the file. The checksum is
// against accidents: whoever may write there may write the model as well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/mapped_file.h"
#include "base/thread_pool.h"
#include "bitnet/model.h"
#include "quant/tensor_type.h"

namespace bitnet {

// What tells one head from another, without reading it.
struct HeadOrigin {
  std::uint64_t file_bytes = 0;     // of the model's file
  std::int64_t file_modified = 0;   // nanoseconds since 1970
  std::uint64_t tensor_offset = 0;  // from the start of that file
};

class HeadCache {
 public:
  static constexpr std::size_t kOffset = 128;  // of the copy

  // kind: int8 or screened. head: as stored.
  HeadCache(std::string path, HeadKind kind, const HeadOrigin& origin, const quant::Matrix& head);

  // The path of a model's file of that kind: beside it, or in `directory` if that is not empty, where files
  // of the same name from different places are told apart by a digest of theirs.
  static std::string path_of(const std::string& model_path, HeadKind kind, const std::string& directory);

  const std::string& path() const { return path_; }

  // The file, mapped, if it holds the copy. Otherwise notice() says what is wrong with it; that is empty when
  // there is none.
  std::optional<MappedFile> open(ThreadPool& pool);
  const std::string& notice() const { return notice_; }

  // Puts the copy into the file, in place of what was there. Now and then asks keep_going; false: it said no,
  // and nothing was changed. Throws RuntimeError when the file cannot be written.
  bool save(std::span<const std::byte> copy, ThreadPool& pool, const std::function<bool()>& keep_going) const;

 private:
  std::uint64_t copy_bytes() const;

  std::string path_;
  HeadKind kind_;
  HeadOrigin origin_;
  quant::Matrix head_;
  std::string notice_;
};

}  // namespace bitnet
