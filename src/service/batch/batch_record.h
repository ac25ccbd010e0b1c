// The records that bitnet batch wrote, read back: not what they say, but what they are of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

namespace bitnet::service {

// As fields of a record: see batch.h.
struct RecordName {
  std::size_t line = 0;
  std::string settings;
  std::string key;
  std::string program;
  std::string commit;
  bool is_error = false;

  // What wrote it: "bitnet 0.1.0 of commit 8c2e...".
  std::string build() const { return program + " of commit " + commit; }
};

// That of the records that this program writes.
std::string this_build();

// The records of a file, one after another, however long they are: one is in memory.
class RecordReader {
 public:
  // Throws ModelError where it isn't there.
  explicit RecordReader(const std::string& path);

  // Goes on to the next; false where there is none. Throws ModelError where a line is no record, RuntimeError
  // when reading fails.
  bool next();
  const RecordName& name() const { return name_; }
  std::string_view text() const { return text_; }               // with its newline
  std::uint64_t offset() const { return end_ - text_.size(); }  // in the file
  // At the end: where the last whole record ends, and whether a part of another follows.
  std::uint64_t end() const { return end_; }
  bool is_torn() const { return is_torn_; }

 private:
  [[noreturn]] void refuse() const;

  std::string path_;
  std::ifstream in_;
  std::size_t number_ = 0;  // of the line
  std::string text_;
  RecordName name_;
  std::uint64_t end_ = 0;
  bool is_torn_ = false;
};

}  // namespace bitnet::service
