// Reads safetensors files, single or in several parts (shards), from a mapping.
// Format: https://github.com/huggingface/safetensors#format. Eight bytes, the length of the header; the
// header, a JSON object of {"dtype", "shape", "data_offsets": [begin, end]} for each tensor, offsets from its
// own end; the data, without gaps or overlaps.
//
// Everything in a header is untrusted and checked before it is used; nothing is allocated beyond a small
// multiple of the header's size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"

namespace bitnet::convert {

// Element types that are made use of; `other` stands for those that the format has beside.
enum class Dtype : std::uint8_t { u8, f16, bf16, f32, other };

struct StoredTensor {
  std::string name;
  std::string dtype_name;  // "BF16"
  Dtype dtype = Dtype::other;
  std::vector<std::uint64_t> shape;  // the contiguous dimension last; empty: one value
  std::span<const std::byte> data;   // unaligned
  std::size_t part = 0;              // which file holds it

  std::uint64_t n_elements() const;  // checked to fit
};

std::string describe_shape(std::span<const std::uint64_t> shape);  // "[640, 2560]"

// Names the files, where there are several.
inline constexpr std::string_view kSafetensorsIndex = "model.safetensors.index.json";

class Safetensors {
 public:
  // model.safetensors in the folder, or the files that model.safetensors.index.json names. Throws ModelError.
  static Safetensors open_folder(const std::string& folder);
  static Safetensors open_file(const std::string& path);

  // In order of names.
  std::span<const StoredTensor> tensors() const { return tensors_; }
  const StoredTensor* find(std::string_view name) const;

  std::size_t n_parts() const { return files_.size(); }
  const std::string& path(std::size_t part) const { return paths_[part]; }
  const MappedFile& file(std::size_t part) const { return files_[part]; }

  // Names the file and the tensor.
  [[noreturn]] void refuse(const StoredTensor& tensor, std::string_view what,
                           std::string_view hint = {}) const;

 private:
  Safetensors() = default;
  void add_file(const std::string& path);
  void sort_by_name();

  std::vector<MappedFile> files_;
  std::vector<std::string> paths_;
  std::vector<StoredTensor> tensors_;
};

}  // namespace bitnet::convert
