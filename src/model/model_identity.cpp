#include "model/model_identity.h"

#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/mapped_file.h"

namespace bitnet {
namespace {

constexpr std::size_t kSamples = 64;
constexpr std::size_t kSampleBytes = 4096;

std::uint64_t digest(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

void add_part(const gguf::File& part, std::vector<std::uint64_t>& words) {
  const std::span<const std::byte> bytes = part.bytes();
  words.push_back(bytes.size());
  const std::optional<FileIdentity> identity = part.identity();
  const std::size_t n_header = std::min<std::size_t>(part.data_offset(), bytes.size());
  if (!identity || bytes.size() - n_header <= kSamples * kSampleBytes) {
    words.push_back(digest(bytes));
    return;
  }
  words.push_back(static_cast<std::uint64_t>(identity->modified));
  words.push_back(digest(bytes.first(n_header)));
  const std::size_t step = (bytes.size() - n_header - kSampleBytes) / (kSamples - 1);
  for (std::size_t i = 0; i < kSamples; ++i) {
    words.push_back(digest(bytes.subspan(n_header + i * step, kSampleBytes)));
  }
}

}  // namespace

std::uint64_t model_identity(const gguf::File& file) {
  std::vector<std::uint64_t> words;
  for (std::size_t i = 0; i < file.n_parts(); ++i) add_part(file.part(i), words);
  return digest(std::as_bytes(std::span(words)));
}

}  // namespace bitnet
