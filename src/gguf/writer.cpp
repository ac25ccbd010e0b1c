#include "gguf/writer.h"

#include <bit>
#include <cassert>
#include <utility>

namespace bitnet::gguf {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kVersion = 3;
constexpr std::size_t kFixedBytes = 4 + 4 + 8 + 8;  // magic, version, tensor count, key count

}  // namespace

Writer::Writer(std::uint32_t alignment) : Writer(KeyValues(), alignment) {
  if (alignment != kDefaultAlignment) add("general.alignment", alignment);
}

Writer::Writer(KeyValues keys, std::uint64_t alignment) : alignment_(alignment), keys_(std::move(keys)) {
  assert(std::has_single_bit(alignment) && alignment >= 8 && alignment <= 1U << 20);
}

std::size_t Writer::add_tensor(std::string_view name, std::span<const std::uint64_t> dims, std::uint32_t type,
                               std::uint64_t n_bytes) {
  assert(!name.empty() && !dims.empty() && dims.size() <= 4 && n_bytes > 0);
  KeyValues::put_string(tensors_, name);
  KeyValues::put(tensors_, static_cast<std::uint32_t>(dims.size()));
  KeyValues::put_numbers(tensors_, dims);
  KeyValues::put(tensors_, type);
  KeyValues::put(tensors_, data_size_);
  offsets_.push_back(data_size_);
  data_size_ += aligned(n_bytes);
  return offsets_.size() - 1;
}

std::uint64_t Writer::header_size() const { return aligned(kFixedBytes + keys_.n_bytes() + tensors_.size()); }

std::vector<std::byte> Writer::header() const {
  std::vector<std::byte> out;
  const std::uint64_t size = header_size();
  out.reserve(size);
  KeyValues::put_numbers(out, std::span(kMagic));
  KeyValues::put(out, kVersion);
  KeyValues::put(out, std::uint64_t{offsets_.size()});
  KeyValues::put(out, std::uint64_t{keys_.size()});
  keys_.append_to(out);
  KeyValues::put_bytes(out, tensors_);
  out.resize(size);
  return out;
}

}  // namespace bitnet::gguf
