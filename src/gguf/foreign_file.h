// Files that are no GGUF files, told by how they begin.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace bitnet::gguf {

// For a refusal: "is a Git LFS pointer, ..." and what to do about it.
struct ForeignFile {
  std::string what;
  std::string advice;
};

// `bytes`: all of the file, which does not begin as a GGUF file does.
ForeignFile recognise_foreign(std::span<const std::byte> bytes);

}  // namespace bitnet::gguf
