// Reading and checking a GGUF header: the members of File that fill it.

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>

#include "base/printable.h"
#include "gguf/cursor.h"
#include "gguf/foreign_file.h"
#include "gguf/gguf.h"
#include "gguf/name_index.h"

namespace bitnet::gguf {
namespace {

constexpr std::uint64_t kMaxKeyLength = 65535;       // the format's own limit
constexpr std::uint64_t kMaxTensorNameLength = 255;  // four times what ggml writes
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMinAlignment = 8;
constexpr std::uint64_t kMaxAlignment = std::uint64_t{1} << 20;
constexpr std::string_view kAlignmentKey = "general.alignment";

// The fewest bytes an entry can take: counts are held against them before anything is reserved.
constexpr std::uint64_t kMinKeyBytes = 8 + 1 + 4 + 1;  // length, key, value type, value
// Of a tensor's also what an entry without dimensions lacks: its data take as much, and are aligned.
constexpr std::uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // length, name, n_dims, a dim, type, offset

// What an entry costs here, and what a file may cost beyond its own size, so that small files are not refused
// for having a few tensors of a few bytes.
constexpr std::uint64_t kKeyIndexBytes = sizeof(std::uint64_t) + sizeof(std::uint32_t);
constexpr std::uint64_t kTensorIndexBytes = sizeof(Tensor) + sizeof(std::uint32_t);
constexpr std::uint64_t kFreeIndexBytes = 32 * 1024;

void check_magic(Cursor& cursor, std::span<const std::byte> bytes, const std::string& file) {
  constexpr std::size_t kLength = 4;
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kLength));
  if (start != "GGUF") {
    const ForeignFile foreign = recognise_foreign(bytes);
    refuse(file, foreign.what, {}, 0, foreign.advice);
  }
  cursor.read_block(kLength, 1, "magic");
}

std::uint32_t read_version(Cursor& cursor) {
  const std::uint64_t offset = cursor.offset();
  const auto version = cursor.read<std::uint32_t>("version");
  if (version == 2 || version == 3) return version;
  constexpr std::string_view kConvert = "convert the original model to GGUF version 3";
  if (version == 1) cursor.refuse_at(offset, "is GGUF version 1, which had 32-bit sizes", kConvert);
  if (version != 0 && (version & 0xFFFFu) == 0) {
    cursor.refuse_at(offset, "is a big-endian GGUF file (version " + std::to_string(version) + ")",
                     "convert it to little-endian");
  }
  cursor.refuse_at(offset, "is GGUF version " + std::to_string(version) + ", not 2 or 3", kConvert);
}

struct Counts {
  std::uint64_t n_tensors = 0;
  std::uint64_t n_keys = 0;
};

Counts read_counts(Cursor& cursor, std::uint64_t file_size) {
  const std::uint64_t offset = cursor.offset();
  Counts counts;
  counts.n_tensors = cursor.read<std::uint64_t>("tensor count");
  counts.n_keys = cursor.read<std::uint64_t>("key count");
  const auto refuse_count = [&](std::uint64_t n, std::string_view of, std::uint64_t at) {
    cursor.refuse_at(at, "claims " + std::to_string(n) + " " + std::string(of) + ", more than a file of " +
                             std::to_string(file_size) + " bytes can hold");
  };
  constexpr std::uint64_t kMaxIndex = std::numeric_limits<std::uint32_t>::max();
  const std::uint64_t room = cursor.remaining();
  if (counts.n_tensors > std::min(room / kMinTensorBytes, kMaxIndex)) {
    refuse_count(counts.n_tensors, "tensors", offset);
  }
  const std::uint64_t room_for_keys = room - counts.n_tensors * kMinTensorBytes;
  if (counts.n_keys > std::min(room_for_keys / kMinKeyBytes, kMaxIndex)) {
    refuse_count(counts.n_keys, "keys", offset + sizeof(std::uint64_t));
  }
  const std::uint64_t index_bytes = counts.n_tensors * kTensorIndexBytes + counts.n_keys * kKeyIndexBytes;
  if (index_bytes > file_size + kFreeIndexBytes) refuse_count(counts.n_tensors, "tensors", offset);
  return counts;
}

ValueType read_type(Cursor& cursor, std::string_view what) {
  const std::uint64_t offset = cursor.offset();
  const auto type = static_cast<ValueType>(cursor.read<std::uint32_t>(what));
  if (size_of(type) == 0 && type != ValueType::string && type != ValueType::array) {
    cursor.refuse_at(offset, "the " + std::string(what) + " is " +
                                 std::to_string(static_cast<std::uint32_t>(type)) +
                                 ", which is none of the 13 known (0 to 12)");
  }
  return type;
}

// Moves past `count` values of a type that is not an array, checking each.
void skip_values(Cursor& cursor, ValueType type, std::uint64_t count) {
  if (type == ValueType::string) {
    for (std::uint64_t i = 0; i < count; ++i) {
      cursor.read_string("string", std::numeric_limits<std::uint64_t>::max());
    }
    return;
  }
  const std::uint64_t offset = cursor.offset();
  const auto values = cursor.read_block(count, size_of(type), "value");
  if (type != ValueType::boolean) return;
  const auto bad = std::ranges::find_if(values, [](std::byte b) { return std::to_integer<int>(b) > 1; });
  if (bad != values.end()) {
    cursor.refuse_at(offset + static_cast<std::uint64_t>(bad - values.begin()),
                     "a bool is " + std::to_string(std::to_integer<int>(*bad)) + ", neither 0 nor 1");
  }
}

void skip_array(Cursor& cursor) {
  const std::uint64_t type_offset = cursor.offset();
  const ValueType type = read_type(cursor, "array's element type");
  if (type == ValueType::array) {
    cursor.refuse_at(type_offset, "the value is an array of arrays, which is not supported",
                     "remove the key from the file");
  }
  const std::uint64_t count_offset = cursor.offset();
  const auto count = cursor.read<std::uint64_t>("array's length");
  const std::uint64_t min_size = type == ValueType::string ? sizeof(std::uint64_t) : size_of(type);
  if (count > cursor.remaining() / min_size) {
    cursor.refuse_at(count_offset, "the array of " + std::to_string(count) + " x " +
                                       std::string(name_of(type)) + " runs past the end of the file");
  }
  skip_values(cursor, type, count);
}

void skip_value(Cursor& cursor) {
  const ValueType type = read_type(cursor, "value type");
  if (type == ValueType::array) {
    skip_array(cursor);
  } else {
    skip_values(cursor, type, 1);
  }
}

void read_dims(Cursor& cursor, Tensor& tensor) {
  const std::uint64_t offset = cursor.offset();
  tensor.n_dims = cursor.read<std::uint32_t>("number of dimensions");
  if (tensor.n_dims > tensor.dims.size()) {
    cursor.refuse_at(offset,
                     "the tensor has " + std::to_string(tensor.n_dims) + " dimensions; 4 are the most");
  }
  if (tensor.n_dims == 0) {  // a single number, as numpy has it
    tensor.n_dims = 1;
    tensor.dims[0] = 1;
    return;
  }
  std::uint64_t n_elements = 1;
  for (std::uint32_t i = 0; i < tensor.n_dims; ++i) {
    const std::uint64_t dim_offset = cursor.offset();
    const auto dim = cursor.read<std::uint64_t>("dimensions");
    if (dim == 0) cursor.refuse_at(dim_offset, "dimension " + std::to_string(i) + " is 0");
    if (dim > std::numeric_limits<std::uint64_t>::max() / n_elements) {
      cursor.refuse_at(dim_offset, "dimension " + std::to_string(i) + " is " + std::to_string(dim) +
                                       ": the number of elements exceeds 64 bits");
    }
    n_elements *= dim;
    tensor.dims[i] = dim;
  }
}

}  // namespace

void File::parse() {
  Cursor cursor(bytes_, *name_);
  check_magic(cursor, bytes_, *name_);
  version_ = read_version(cursor);
  const Counts counts = read_counts(cursor, bytes_.size());
  read_keys(cursor, counts.n_keys);
  read_alignment();
  read_tensors(cursor, counts.n_tensors);
  data_offset_ = (cursor.offset() + alignment_ - 1) & ~(alignment_ - 1);
  place_tensors();
  index_tensor_names();
}

void File::read_keys(Cursor& cursor, std::uint64_t n_keys) {
  key_offsets_.reserve(static_cast<std::size_t>(n_keys));
  for (std::uint64_t i = 0; i < n_keys; ++i) {
    cursor.enter("key", i + 1);
    const std::uint64_t offset = cursor.offset();
    const std::string_view key = cursor.read_string("key", kMaxKeyLength);
    if (key.empty()) cursor.refuse_at(offset, "the key is empty");
    cursor.set_name(key);
    skip_value(cursor);
    key_offsets_.push_back(offset);
  }
  const auto key_of = [this](std::uint32_t i) { return key(i); };
  sort_names(key_order_, key_offsets_.size(), key_of);
  if (const auto second = find_duplicate(key_order_, key_of)) {
    refuse(*name_, "the key appears twice", quoted("key", key(*second)), key_offsets_[*second]);
  }
}

void File::read_alignment() {
  alignment_ = kDefaultAlignment;
  const auto index = key_index(kAlignmentKey);
  if (!index) return;
  const Value found = value(*index);
  const std::string entry = quoted("key", kAlignmentKey);
  const std::uint64_t offset = key_offsets_[*index];
  if (found.type() != ValueType::u32) {
    refuse(*name_, "the alignment is of type " + found.describe_type() + ", not u32", entry, offset);
  }
  alignment_ = found.as_uint().value_or(0);
  if (!std::has_single_bit(alignment_) || alignment_ < kMinAlignment || alignment_ > kMaxAlignment) {
    refuse(*name_,
           "the alignment is " + std::to_string(alignment_) + ", not a power of two from " +
               std::to_string(kMinAlignment) + " to " + std::to_string(kMaxAlignment),
           entry, offset);
  }
}

// Leaves each offset relative to the data section, whose place is known only after the last tensor.
void File::read_tensors(Cursor& cursor, std::uint64_t n_tensors) {
  tensors_.reserve(static_cast<std::size_t>(n_tensors));
  for (std::uint64_t i = 0; i < n_tensors; ++i) {
    cursor.enter("tensor", i + 1);
    const std::uint64_t offset = cursor.offset();
    Tensor tensor;
    tensor.name = cursor.read_string("tensor name", kMaxTensorNameLength);
    if (tensor.name.empty()) cursor.refuse_at(offset, "the tensor's name is empty");
    cursor.set_name(tensor.name);
    read_dims(cursor, tensor);
    tensor.type = cursor.read<std::uint32_t>("tensor type");
    const std::uint64_t offset_field = cursor.offset();
    tensor.file_offset = cursor.read<std::uint64_t>("data offset");
    if (tensor.file_offset % alignment_ != 0) {
      cursor.refuse_at(offset_field, "the data offset " + std::to_string(tensor.file_offset) +
                                         " is not a multiple of the alignment " + std::to_string(alignment_));
    }
    tensors_.push_back(tensor);
  }
}

// Gives each tensor its bytes: up to the next one's, or the end of the file.
void File::place_tensors() {
  const std::uint64_t file_size = bytes_.size();
  const std::uint64_t data_size = file_size - std::min(file_size, data_offset_);
  for (Tensor& tensor : tensors_) {
    if (tensor.file_offset >= data_size) {
      refuse_tensor(tensor, "the data begins " + std::to_string(tensor.file_offset) +
                                " bytes into a data section of " + std::to_string(data_size));
    }
    tensor.file_offset += data_offset_;
  }
  // Lent for the order of the data before it takes that of the names.
  std::vector<std::uint32_t>& order = tensor_order_;
  order.resize(tensors_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, {}, [this](std::uint32_t i) { return tensors_[i].file_offset; });
  for (std::size_t i = 0; i < order.size(); ++i) {
    Tensor& tensor = tensors_[order[i]];
    const Tensor* const next = i + 1 < order.size() ? &tensors_[order[i + 1]] : nullptr;
    const std::uint64_t end = next != nullptr ? next->file_offset : file_size;
    if (tensor.file_offset == end) {
      refuse_tensor(tensor, "the data begins at the same byte as that of " + quoted("tensor", next->name));
    }
    tensor.extent = bytes_.subspan(static_cast<std::size_t>(tensor.file_offset),
                                   static_cast<std::size_t>(end - tensor.file_offset));
    if ((tensor.n_elements() - 1) / 8 >= tensor.extent.size()) {
      refuse_tensor(tensor, std::to_string(tensor.n_elements()) + " elements cannot lie in " +
                                std::to_string(tensor.extent.size()) + " bytes of data");
    }
  }
}

void File::index_tensor_names() {
  const auto name_of_tensor = [this](std::uint32_t i) { return tensors_[i].name; };
  sort_names(tensor_order_, tensors_.size(), name_of_tensor);
  if (const auto second = find_duplicate(tensor_order_, name_of_tensor)) {
    refuse_tensor(tensors_[*second], "the tensor's name appears twice");
  }
}

void File::refuse_tensor(const Tensor& tensor, std::string_view what) const {
  const File& owner = part(tensor.part);
  const auto* const name = reinterpret_cast<const std::byte*>(tensor.name.data());
  const auto entry_offset = static_cast<std::uint64_t>(name - owner.bytes_.data()) - sizeof(std::uint64_t);
  refuse(*owner.name_, what, quoted("tensor", tensor.name), entry_offset);
}

}  // namespace bitnet::gguf
