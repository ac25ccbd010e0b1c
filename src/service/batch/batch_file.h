// The file that a batch's records go to, one by one, and what an earlier run left in it.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "service/batch/batch.h"
#include "service/batch/line_reader.h"

namespace bitnet::service {

// Every record is in the file, whole, as soon as it is written: a run that is killed loses none but perhaps
// the one that it was writing, and that is cut off when the next run goes on.
class BatchFile {
 public:
  // What becomes of what is there: begin takes a file with nothing in it.
  enum class Use { begin, resume, replace };
  // Leaves the file as it is, and makes none; to resume, the records that are there are read. Throws
  // UsageError where this use of it cannot be, ModelError where it holds what is no record of a batch,
  // RuntimeError where it cannot be written or another process is writing to it.
  BatchFile(const std::string& path, Use use);

  // What the line has. Throws ModelError where its record was made from another request, with other options
  // or by another model.
  Earlier earlier(std::size_t line, std::string_view key) const;
  // Whether all records are of lines of this input that are asked for. Throws ModelError where one isn't.
  // Whether records that are written now, in the input's order, go on in that of those that are there.
  bool check(const std::string& input, const LineRange& range, std::string_view settings) const;
  const std::set<std::string>& builds() const { return builds_; }  // that wrote the records that were read
  // Once, before the first write(): makes the file, or cuts off what isn't kept. Throws RuntimeError.
  void start();
  // Throws RuntimeError, e.g. when the disk is full.
  void write(std::string_view record);
  // Brings everything to the disk. Throws RuntimeError.
  void finish();

 private:
  struct Record {
    std::string key;
    bool is_error = false;
  };

  void lock() const;
  void read_records();
  [[noreturn]] void fail(std::string_view action, int error) const;

  std::string path_;
  Descriptor file_;
  bool keeps_records_ = true;          // it is no pipe or device
  std::optional<std::size_t> n_kept_;  // bytes, of a file with more in it
  std::set<std::string> builds_;
  std::map<std::size_t, Record> records_;  // by line
  bool is_in_order_ = true;                // as they were read
};

}  // namespace bitnet::service
