#include "gguf/key_values.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "gguf/load.h"

namespace bitnet::gguf {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is little-endian and is written as it is");

}  // namespace

void KeyValues::put_bytes(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  const std::size_t at = out.size();
  out.resize(at + bytes.size());
  std::ranges::copy(bytes, out.begin() + static_cast<std::ptrdiff_t>(at));
}

void KeyValues::put_string(std::vector<std::byte>& out, std::string_view text) {
  put(out, std::uint64_t{text.size()});
  put_bytes(out, std::as_bytes(std::span(text)));
}

const KeyValues::Entry* KeyValues::find(std::string_view key) const {
  const auto found = std::ranges::find(entries_, key, &Entry::key);
  return found == entries_.end() ? nullptr : &*found;
}

std::vector<std::byte>& KeyValues::begin(std::string_view key, ValueType type) {
  assert(!key.empty());
  auto found = std::ranges::find(entries_, key, &Entry::key);
  if (found == entries_.end()) found = entries_.insert(entries_.end(), {std::string(key), {}});
  found->value.clear();
  put(found->value, static_cast<std::uint32_t>(type));
  return found->value;
}

std::vector<std::byte>& KeyValues::begin_array(std::string_view key, ValueType element_type,
                                               std::uint64_t count) {
  std::vector<std::byte>& out = begin(key, ValueType::array);
  put(out, static_cast<std::uint32_t>(element_type));
  put(out, count);
  return out;
}

void KeyValues::set(std::string_view key, std::string_view value) {
  put_string(begin(key, ValueType::string), value);
}

void KeyValues::append(std::string_view key, const Value& value) {
  std::vector<std::byte>& out = entries_.emplace_back(Entry{std::string(key), {}}).value;
  put(out, static_cast<std::uint32_t>(value.type()));
  put_bytes(out, value.bytes());
}

void KeyValues::set_array(std::string_view key, std::span<const std::string> values) {
  std::vector<std::byte>& out = begin_array(key, ValueType::string, values.size());
  for (const std::string& value : values) put_string(out, value);
}

bool KeyValues::set_integer_in_place(std::string_view key, std::uint64_t value) {
  const auto found = std::ranges::find(entries_, key, &Entry::key);
  if (found == entries_.end()) return false;
  std::vector<std::byte>& bytes = found->value;
  const auto type = static_cast<ValueType>(load<std::uint32_t>(bytes.data()));
  if (!is_integer(type)) return false;
  const std::size_t size = size_of(type);
  const bool is_signed =
      type == ValueType::i8 || type == ValueType::i16 || type == ValueType::i32 || type == ValueType::i64;
  if (static_cast<std::size_t>(std::bit_width(value)) > 8 * size - (is_signed ? 1 : 0)) return false;
  std::memcpy(bytes.data() + sizeof(std::uint32_t), &value, size);
  return true;
}

void KeyValues::remove(std::string_view key) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; });
}

std::uint64_t KeyValues::n_bytes() const {
  std::uint64_t n = 0;
  for (const Entry& entry : entries_) n += sizeof(std::uint64_t) + entry.key.size() + entry.value.size();
  return n;
}

void KeyValues::append_to(std::vector<std::byte>& out) const {
  for (const Entry& entry : entries_) {
    put_string(out, entry.key);
    put_bytes(out, entry.value);
  }
}

}  // namespace bitnet::gguf
