// The file that a batch's records go to, one by one, and what an earlier run left in it.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "service/batch/line_reader.h"

namespace bitnet::service {

// Every record is in the file, whole, as soon as it is written: a run that is killed loses none but perhaps
// the one that it was writing, and that is cut off when the next run goes on.
class BatchFile {
 public:
  // What becomes of what is there: begin() takes a file with nothing in it.
  enum class Use { begin, resume, replace };
  // Opens the file, or makes it, and leaves it as it is; to resume, the records that are there are read.
  // Throws UsageError where this use of it cannot be, ModelError where it holds what is no record of a batch,
  // RuntimeError where it cannot be opened or another process is writing to it.
  BatchFile(const std::string& path, Use use);

  // Whether the line has its record. Throws ModelError where that was made from another request, with other
  // options or by another model.
  bool has(std::size_t line, std::string_view key) const;
  // Whether all records are of lines of this input that are asked for. Throws ModelError where one isn't.
  void check(const std::string& input, const LineRange& range, std::string_view settings) const;
  const std::set<std::string>& builds() const { return builds_; }  // that wrote the records that were read
  std::size_t n_failed() const { return n_failed_; }               // of them, those that are errors
  // Once, before the first write(): what isn't kept is cut off. Throws RuntimeError.
  void start();
  // Throws RuntimeError, e.g. when the disk is full.
  void write(std::string_view record);
  // Brings everything to the disk. Throws RuntimeError.
  void finish();

 private:
  void read_records();
  [[noreturn]] void fail(std::string_view action, int error) const;

  std::string path_;
  Descriptor file_;
  std::size_t n_failed_ = 0;
  std::optional<std::size_t> n_kept_;  // bytes, of a file with more in it
  std::set<std::string> builds_;
  std::map<std::size_t, std::string> keys_;  // of lines that have a record
};

}  // namespace bitnet::service
