// Writes the header of a GGUF file, version 3: the metadata, and where each tensor's data goes. The data
// itself is its maker's to put there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/key_values.h"

namespace bitnet::gguf {

// Names and keys must be unique and not empty.
class Writer {
 public:
  static constexpr std::uint64_t kDefaultAlignment = 32;

  // Tensor data will lie at multiples of `alignment`, a power of two from 8 to 2^20. One that is not the
  // format's default is written down as the key general.alignment.
  explicit Writer(std::uint32_t alignment = kDefaultAlignment);

  // With these keys, which say the alignment where it is not the default.
  Writer(KeyValues keys, std::uint64_t alignment);

  template <Number T>
  void add(std::string_view key, T value) {
    keys_.set(key, value);
  }
  void add(std::string_view key, std::string_view value) { keys_.set(key, value); }
  template <Number T>
  void add_array(std::string_view key, std::span<const T> values) {
    keys_.set_array(key, values);
  }
  void add_array(std::string_view key, std::span<const std::string> values) { keys_.set_array(key, values); }

  // Gives a tensor the next `n_bytes` (at least 1) of the data section and returns its number, from 0.
  // dims[0] is the contiguous one; there are 1 to 4. `type` is the ggml type id.
  std::size_t add_tensor(std::string_view name, std::span<const std::uint64_t> dims, std::uint32_t type,
                         std::uint64_t n_bytes);

  // Everything before the first tensor's data, padding included.
  std::vector<std::byte> header() const;
  // Of a tensor's first byte, from the start of the file; it moves when keys or tensors are added.
  std::uint64_t data_offset(std::size_t tensor) const { return header_size() + offsets_[tensor]; }
  // The same from the start of the data section.
  std::uint64_t place_in_data(std::size_t tensor) const { return offsets_[tensor]; }
  // Of the whole file, the last tensor padded like the others.
  std::uint64_t file_size() const { return header_size() + data_size_; }

 private:
  std::uint64_t aligned(std::uint64_t n) const { return (n + alignment_ - 1) / alignment_ * alignment_; }
  std::uint64_t header_size() const;

  std::uint64_t alignment_;
  KeyValues keys_;
  std::vector<std::byte> tensors_;      // as they stand in the file
  std::vector<std::uint64_t> offsets_;  // of each tensor, from the start of the data section
  std::uint64_t data_size_ = 0;
};

}  // namespace bitnet::gguf
