// The int8 copy of the LM head in a file beside the model's, MODEL.int8-head, so that it is made once.
//
// The file, little-endian: a header of 128 bytes, then the copy as quant/i8_rows.h has it. The header says
// from what the copy was made (HeadOrigin) and holds a checksum of everything. A file is used only if all of
// it is as it would be written now; sizes come from the model, never from the file. The checksum is against
// accidents: whoever may write beside the model may write the model as well.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/thread_pool.h"
#include "model/head/head_copy.h"
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
  // head: as stored.
  HeadCache(const std::string& model_path, const HeadOrigin& origin, const quant::Matrix& head);

  const std::string& path() const { return path_; }

  // The copy, mapped, if the file holds it. Otherwise notice() says what is wrong with the file; it is empty
  // when there is none.
  std::optional<Int8Head> open(ThreadPool& pool);
  const std::string& notice() const { return notice_; }

  // Puts the copy into the file, in place of what was there. Now and then asks keep_going; false: it said no,
  // and nothing was changed. Throws RuntimeError when the file cannot be written.
  bool save(const Int8Head& copy, ThreadPool& pool, const std::function<bool()>& keep_going) const;

 private:
  std::string path_;
  HeadOrigin origin_;
  quant::Matrix head_;
  std::string notice_;
};

}  // namespace bitnet
