// Conversions of files, for tests.
#pragma once

#include <cstddef>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "convert/convert.h"
#include "convert/open_source.h"
#include "convert/target_types.h"
#include "support/temp_directory.h"

namespace bitnet::test {

inline quant::TensorType type_named(std::string_view name) { return convert::find_target_type(name).value(); }

inline convert::ConvertReport convert_file(const std::string& from, const std::string& to,
                                           const convert::ConvertOptions& options = {},
                                           convert::SourceOptions source_options = {}) {
  ThreadPool pool(2);
  std::vector<std::string> notes;
  const auto source = convert::open_source(from, source_options, pool, notes);
  return convert::convert(*source, to, options, pool, {});
}

// With the layers' matrices in the type of this name.
inline convert::ConvertReport convert_to(const std::string& from, const std::string& to,
                                         std::string_view type) {
  return convert_file(from, to, {.plan = {.type = type_named(type)}, .split = {}});
}

inline void write_bytes(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace bitnet::test
