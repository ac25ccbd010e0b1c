// The files that a conversion writes, all under temporary names until all are right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/output_file.h"
#include "convert/layout.h"

namespace bitnet::convert {

class OutputParts {
 public:
  // Makes them in their full size, which a disk may refuse later, with their headers. Throws RuntimeError.
  OutputParts(const std::vector<std::string>& names, const Layout& layout);

  void write_at(const TensorPlace& place, std::uint64_t offset, std::span<const std::byte> bytes) const;

  // What gguf::File::open takes to read them all.
  const std::string& readable_name() const { return files_.front()->temporary_name(); }

  // Brings them to the disk and gives them their names, the first part last: where it is, all are.
  void commit();

 private:
  std::vector<std::unique_ptr<OutputFile>> files_;
};

}  // namespace bitnet::convert
