// The outputs of parts of a batch, joined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "service/batch/batch_record.h"
#include "service/batch/line_list.h"

namespace bitnet::service {

// Looks through the parts, and keeps in memory where their records are rather than the records.
class BatchMerge {
 public:
  // Throws ModelError where a part cannot be read, is being written or holds what is no record, where two
  // parts have different records of a line, or were made with different options or models. With an `input` it
  // is thrown too where the records are not those of its lines, all of them.
  BatchMerge(std::vector<std::string> parts, const std::optional<std::string>& input);

  std::size_t n_records() const { return records_.size(); }
  // Lines before the last that no part has a record of, if there was no input to know better by.
  const LineList& gaps() const { return gaps_; }
  const std::set<std::string>& builds() const { return builds_; }  // that wrote them

  // All records, in the order of their lines, each with its newline. Throws RuntimeError where they aren't
  // there any more, and what `sink` throws.
  void write(const std::function<void(std::string_view record)>& sink) const;

 private:
  struct Record {
    std::size_t part = 0;
    std::uint64_t offset = 0;
    std::size_t size = 0;
    std::string key;
  };

  void add(std::size_t part);
  void check_against(const std::string& input) const;
  std::string shown(std::size_t part) const;

  std::vector<std::string> parts_;
  std::map<std::size_t, Record> records_;  // by line
  std::optional<std::size_t> first_part_;  // that has records
  std::string settings_;
  std::set<std::string> builds_;
  LineList gaps_;
};

}  // namespace bitnet::service
