#include "gguf/gguf.h"

#include <cstring>
#include <functional>
#include <utility>

#include "base/printable.h"
#include "gguf/cursor.h"
#include "gguf/name_index.h"

namespace bitnet::gguf {

File::File(std::span<const std::byte> bytes, std::string name)
    : name_(std::make_unique<const std::string>(std::move(name))), bytes_(bytes) {}

File File::map(const std::string& path, const MappedFile::ReadHook& on_read) {
  MappedFile mapping(path, on_read);
  File file(mapping.bytes(), path);
  file.mapping_ = std::move(mapping);
  return file;
}

File File::open(const std::string& path, const MappedFile::ReadHook& on_read) {
  File file = map(path, on_read);
  file.parse();
  file.add_other_parts(on_read);
  return file;
}

File File::from_bytes(std::span<const std::byte> bytes, std::string name) {
  File file(bytes, std::move(name));
  file.parse();
  file.add_other_parts({});
  return file;
}

File File::open_damaged(const std::string& path, std::string& damage, const MappedFile::ReadHook& on_read) {
  File file = map(path, on_read);
  file.parse_what_is_there(damage, on_read);
  return file;
}

File File::from_damaged(std::span<const std::byte> bytes, std::string name, std::string& damage) {
  File file(bytes, std::move(name));
  file.parse_what_is_there(damage);
  return file;
}

void File::parse_what_is_there(std::string& damage, const MappedFile::ReadHook& on_read) {
  try {
    parse();
    add_other_parts(on_read);
  } catch (const ModelError& e) {
    damage = e.what();
    if (key_order_.size() != key_offsets_.size()) {
      key_offsets_.clear();
      key_order_.clear();
    }
    for (Tensor& tensor : tensors_) tensor.extent = {};
    tensor_order_.clear();
  }
}

std::uint64_t File::size() const {
  std::uint64_t n_bytes = 0;
  for (std::size_t i = 0; i < n_parts(); ++i) n_bytes += part(i).bytes_.size();
  return n_bytes;
}

std::optional<FileIdentity> File::identity() const {
  if (!mapping_) return std::nullopt;
  return mapping_->identity();
}

std::string File::read_notice() const {
  std::uint64_t n_bytes = 0;
  std::string why;
  for (std::size_t i = 0; i < n_parts(); ++i) {
    const std::optional<MappedFile>& mapping = part(i).mapping_;
    if (!mapping || mapping->why_read().empty()) continue;
    why = mapping->why_read();
    n_bytes += mapping->bytes().size();
  }
  if (why.empty()) return {};
  return printable(*name_, kMaxPrintedPath) + ": cannot be mapped (" + why + "), so it was read: it takes " +
         std::to_string((n_bytes >> 20) + 1) + " MiB of memory that no other process shares";
}

const MappedFile* File::mapping_of(std::span<const std::byte> bytes) const {
  const std::less<const std::byte*> before;
  for (std::size_t i = 0; i < n_parts(); ++i) {
    const std::span<const std::byte> all = part(i).bytes_;
    if (before(bytes.data(), all.data()) || !before(bytes.data(), all.data() + all.size())) continue;
    return part(i).mapping_ ? &*part(i).mapping_ : nullptr;
  }
  return nullptr;
}

void File::populate(std::span<const std::byte> bytes) const {
  if (const MappedFile* mapping = mapping_of(bytes)) mapping->populate(bytes);
}

void File::read(std::span<const std::byte> bytes, std::byte* to) const {
  const MappedFile* mapping = mapping_of(bytes);
  if (mapping == nullptr || !mapping->read(bytes, to)) std::memcpy(to, bytes.data(), bytes.size());
}

void File::give_back(std::span<const std::byte> bytes) const {
  if (const MappedFile* mapping = mapping_of(bytes)) mapping->give_back(bytes);
}

std::string_view File::key(std::size_t i) const { return load_string(bytes_.data() + key_offsets_[i]); }

Value File::value(std::size_t i) const {
  const std::string_view name = key(i);
  const auto* const type = reinterpret_cast<const std::byte*>(name.data() + name.size());
  return {Origin{name_.get(), name}, static_cast<ValueType>(load<std::uint32_t>(type)),
          type + sizeof(std::uint32_t)};
}

std::optional<std::size_t> File::key_index(std::string_view wanted) const {
  return find_name(key_order_, wanted, [this](std::uint32_t i) { return key(i); });
}

std::optional<Value> File::find(std::string_view wanted) const {
  const auto index = key_index(wanted);
  if (!index) return std::nullopt;
  return value(*index);
}

template <typename T>
std::optional<T> File::get(std::string_view wanted_key, std::optional<T> (Value::*as)() const,
                           std::string_view wanted) const {
  const auto index = key_index(wanted_key);
  if (!index) return std::nullopt;
  const Value found = value(*index);
  auto result = (found.*as)();
  if (!result) {
    // A scalar is shown: it may be of the right type and out of range.
    const std::string shown = is_number(found.type()) ? " " + found.to_display(0) : "";
    refuse(*name_, "the value is " + found.describe_type() + shown + ", not " + std::string(wanted),
           quoted("key", wanted_key), key_offsets_[*index], "convert the model again");
  }
  return result;
}

std::optional<std::string_view> File::get_string(std::string_view key) const {
  return get(key, &Value::as_string, "a string");
}

std::optional<std::uint64_t> File::get_uint(std::string_view key) const {
  return get(key, &Value::as_uint, "an integer of 0 or more");
}

std::optional<double> File::get_number(std::string_view key) const {
  return get(key, &Value::as_number, "a number");
}

std::optional<bool> File::get_bool(std::string_view key) const { return get(key, &Value::as_bool, "a bool"); }

std::optional<StringArray> File::get_strings(std::string_view key) const {
  return get(key, &Value::as_strings, "an array of strings");
}

std::optional<NumberArray> File::get_numbers(std::string_view key) const {
  return get(key, &Value::as_numbers, "an array of numbers");
}

const Tensor* File::find_tensor(std::string_view name) const {
  const auto index = find_name(tensor_order_, name, [this](std::uint32_t i) { return tensors_[i].name; });
  return index ? &tensors_[*index] : nullptr;
}

}  // namespace bitnet::gguf
