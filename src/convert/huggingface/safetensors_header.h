// The header of one safetensors file, checked against the file's size.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "convert/huggingface/safetensors.h"

namespace bitnet::convert {

// The tensors in order of their data, which follow one another from the header's end to the file's. `shown`
// names the file in messages. Throws ModelError.
std::vector<StoredTensor> read_safetensors_header(std::span<const std::byte> file, const std::string& shown);

}  // namespace bitnet::convert
