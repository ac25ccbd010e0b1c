// A small model in several files, as gguf-split writes it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/small_model.h"
#include "support/temp_directory.h"

namespace bitnet::test {

// The tensors in turn, all other keys in the first part.
inline std::vector<std::vector<std::byte>> split_in_parts(const SmallModel& model, std::size_t n_parts) {
  std::vector<std::vector<std::byte>> parts;
  const std::size_t n_tensors = model.tensors().size();
  const std::size_t step = (n_tensors + n_parts - 1) / n_parts;
  for (std::size_t i = 0; i < n_parts; ++i) {
    SmallModel part = model;
    const auto begin = model.tensors().begin() + static_cast<std::ptrdiff_t>(i * step);
    const auto end = i + 1 < n_parts ? begin + static_cast<std::ptrdiff_t>(step) : model.tensors().end();
    part.tensors().assign(begin, end);
    if (i > 0) {
      for (const std::string& key : model.keys()) part.remove_key(key);
    }
    part.set("split.no", static_cast<std::uint16_t>(i))
        .set("split.count", static_cast<std::uint16_t>(n_parts));
    part.set("split.tensors.count", static_cast<std::int32_t>(n_tensors));
    parts.push_back(part.to_gguf().build());
  }
  return parts;
}

inline std::string name_of_part(const std::string& stem, std::size_t number, std::size_t count) {
  const auto digits = [](std::size_t n) { return std::string(n < 10 ? "0000" : "000") + std::to_string(n); };
  return stem + "-" + digits(number + 1) + "-of-" + digits(count) + ".gguf";
}

inline void write_file(const std::string& path, std::span<const std::byte> bytes) {
  write_file(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

// Their paths, STEM-00001-of-0000N.gguf and so on.
inline std::vector<std::string> write_parts(const SmallModel& model, std::size_t n_parts,
                                            const std::string& stem) {
  std::vector<std::string> paths;
  for (const std::vector<std::byte>& part : split_in_parts(model, n_parts)) {
    paths.push_back(name_of_part(stem, paths.size(), n_parts));
    write_file(paths.back(), part);
  }
  return paths;
}

}  // namespace bitnet::test
