#include "gguf/writer.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace bitnet::gguf {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is little-endian and is written as it is");

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kVersion = 3;
constexpr std::size_t kFixedBytes = 4 + 4 + 8 + 8;  // magic, version, tensor count, key count

}  // namespace

Writer::Writer(std::uint32_t alignment) : alignment_(alignment) {
  assert(std::has_single_bit(alignment) && alignment >= 8 && alignment <= 1U << 20);
  if (alignment != kDefaultAlignment) add("general.alignment", alignment);
}

void Writer::put_bytes(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  const std::size_t at = out.size();
  out.resize(at + bytes.size());
  std::ranges::copy(bytes, out.begin() + static_cast<std::ptrdiff_t>(at));
}

void Writer::put_string(std::vector<std::byte>& out, std::string_view text) {
  put(out, std::uint64_t{text.size()});
  put_bytes(out, std::as_bytes(std::span(text)));
}

void Writer::begin_key(std::string_view key, ValueType type) {
  assert(!key.empty());
  ++n_keys_;
  put_string(keys_, key);
  put(keys_, static_cast<std::uint32_t>(type));
}

void Writer::begin_array(std::string_view key, ValueType element_type, std::uint64_t count) {
  begin_key(key, ValueType::array);
  put(keys_, static_cast<std::uint32_t>(element_type));
  put(keys_, count);
}

void Writer::add(std::string_view key, std::string_view value) {
  begin_key(key, ValueType::string);
  put_string(keys_, value);
}

void Writer::add_array(std::string_view key, std::span<const std::string> values) {
  begin_array(key, ValueType::string, values.size());
  for (const std::string& value : values) put_string(keys_, value);
}

std::size_t Writer::add_tensor(std::string_view name, std::span<const std::uint64_t> dims, std::uint32_t type,
                               std::uint64_t n_bytes) {
  assert(!name.empty() && !dims.empty() && dims.size() <= 4 && n_bytes > 0);
  put_string(tensors_, name);
  put(tensors_, static_cast<std::uint32_t>(dims.size()));
  put_numbers(tensors_, dims);
  put(tensors_, type);
  put(tensors_, data_size_);
  offsets_.push_back(data_size_);
  data_size_ += aligned(n_bytes);
  return offsets_.size() - 1;
}

std::uint64_t Writer::header_size() const { return aligned(kFixedBytes + keys_.size() + tensors_.size()); }

std::vector<std::byte> Writer::header() const {
  std::vector<std::byte> out;
  out.reserve(header_size());
  put_numbers(out, std::span(kMagic));
  put(out, kVersion);
  put(out, std::uint64_t{offsets_.size()});
  put(out, n_keys_);
  put_bytes(out, keys_);
  put_bytes(out, tensors_);
  out.resize(header_size());
  return out;
}

}  // namespace bitnet::gguf
