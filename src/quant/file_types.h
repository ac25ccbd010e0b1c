// Which type a tensor of a file is of. Forks gave some ids of ggml's to formats of their own, so that an id
// may stand for several; then the tensor's size tells.
#pragma once

#include <cstdint>
#include <string>

#include "quant/tensor_type.h"

namespace bitnet::quant {

// What a file's header says of a tensor.
struct StoredTensor {
  std::uint32_t id = 0;    // ggml's, of the type
  std::uint64_t rows = 0;  // rows * cols is known not to overflow
  std::uint64_t cols = 0;
  std::uint64_t room = 0;  // bytes up to the next tensor or the end of the file
  std::uint64_t alignment =
      0;  // of the data in the file: the last of these bytes, less than that, are padding
};

// nullptr for what is not read. Of an id with several formats the one whose size fits the room; nullptr if
// none or more than one of those that are read does. An id with one format is taken at its word, whatever the
// room.
const TypeInfo* find_type(const StoredTensor& tensor);
// Of an id with one format only.
const TypeInfo* find_type(std::uint32_t ggml_id);

// "type 20, IQ4_NL, is not read; ...": why a tensor is not read, and what to do instead. For error messages.
std::string describe_refused_type(const StoredTensor& tensor);

// "TQ1_0" or, for an id that nobody knows, "type 77".
std::string name_of_type(const StoredTensor& tensor);

// How many bytes of data a tensor of any type has, read or not: an id with several formats is taken for the
// one that fills the room, and where nothing is known of a type the answer is the room.
std::uint64_t n_bytes_of_type(const StoredTensor& tensor);

}  // namespace bitnet::quant
