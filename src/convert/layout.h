// Where everything lies in the file, or files, that are written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "convert/plan.h"
#include "gguf/writer.h"

namespace bitnet::convert {

// How many files: one, or parts as gguf-split names them. At most one of the two is not 0.
struct SplitOptions {
  std::uint64_t part_bytes = 0;  // that no part's tensors exceed, unless it has a single one
  std::size_t n_parts = 0;
};

struct PartLayout {
  gguf::Writer writer;
  std::size_t first = 0;  // tensor of the plan, and the one behind the last
  std::size_t end = 0;
};

struct TensorPlace {
  std::size_t part = 0;
  std::uint64_t offset = 0;  // from the part's start
};

struct Layout {
  std::vector<PartLayout> parts;
  std::vector<TensorPlace> places;  // of the plan's tensors

  std::uint64_t n_bytes() const;
};

// All metadata is in the first part. Throws UsageError for more parts than tensors.
Layout make_layout(const Plan& plan, const SplitOptions& split);

// The file's own name; of a part "STEM-00001-of-00003.gguf", of STEM.gguf.
std::vector<std::string> file_names(const std::string& output, std::size_t n_parts);

}  // namespace bitnet::convert
