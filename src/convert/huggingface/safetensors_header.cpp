#include "convert/huggingface/safetensors_header.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::convert {
namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;  // as the format's own reader has it
constexpr std::size_t kMaxDims = 8;
constexpr std::size_t kMaxName = 1024;
constexpr std::string_view kDamaged = "it is damaged: download it again";

struct DtypeRow {
  std::string_view name;
  Dtype dtype;
  std::size_t bytes;
};
constexpr std::array kDtypes{DtypeRow{"F32", Dtype::f32, 4},       DtypeRow{"F16", Dtype::f16, 2},
                             DtypeRow{"BF16", Dtype::bf16, 2},     DtypeRow{"U8", Dtype::u8, 1},
                             DtypeRow{"BOOL", Dtype::other, 1},    DtypeRow{"I8", Dtype::other, 1},
                             DtypeRow{"F8_E5M2", Dtype::other, 1}, DtypeRow{"F8_E4M3", Dtype::other, 1},
                             DtypeRow{"I16", Dtype::other, 2},     DtypeRow{"U16", Dtype::other, 2},
                             DtypeRow{"I32", Dtype::other, 4},     DtypeRow{"U32", Dtype::other, 4},
                             DtypeRow{"I64", Dtype::other, 8},     DtypeRow{"U64", Dtype::other, 8},
                             DtypeRow{"F64", Dtype::other, 8}};

struct Entry {
  StoredTensor tensor;
  std::vector<std::uint64_t> offsets;
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

// Takes the header's values as they come, so that nothing is built of what is no tensor:
// { NAME: { FIELD: text or [number, ...] }, "__metadata__": { KEY: text } }
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Entry> entries;
  std::string fault;

  bool null() override { return misplaced(); }
  bool boolean(bool /*value*/) override { return misplaced(); }
  bool number_integer(number_integer_t value) override {
    return misplaced_number(std::to_string(value));  // those from 0 on are unsigned ones
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ != 3) return misplaced();
    std::vector<std::uint64_t>& list = field_ == Field::shape ? tensor().shape : entries.back().offsets;
    const std::size_t most = field_ == Field::shape ? kMaxDims : 2;
    if (list.size() == most)
      return refuse("has more than " + std::to_string(most) + " numbers in its " + field_name());
    list.push_back(value);
    return true;
  }
  bool number_float(number_float_t /*value*/, const string_t& text) override {
    return misplaced_number(text);
  }
  bool string(string_t& value) override {
    if (in_metadata_ && depth_ == 2) return true;
    if (depth_ != 2 || field_ != Field::dtype) return misplaced();
    tensor().dtype_name = value.size() <= kMaxPrintedName ? value : value.substr(0, kMaxPrintedName);
    return true;
  }
  bool binary(binary_t& /*value*/) override { return misplaced(); }

  bool start_object(std::size_t /*size*/) override {
    if (depth_ >= 2) return misplaced();
    ++depth_;
    return true;
  }
  bool key(string_t& key) override {
    if (depth_ == 1) return begin_entry(key);
    return in_metadata_ || begin_field(key);
  }
  bool end_object() override {
    --depth_;
    if (depth_ == 1 && !in_metadata_) {
      const Entry& entry = entries.back();
      if (!entry.has_dtype || !entry.has_shape || !entry.has_offsets) {
        return refuse("lacks one of dtype, shape and data_offsets");
      }
    }
    return true;
  }
  bool start_array(std::size_t /*size*/) override {
    if (depth_ != 2 || in_metadata_ || (field_ != Field::shape && field_ != Field::offsets))
      return misplaced();
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& /*error*/) override {
    fault = "its header is not JSON: byte " + std::to_string(position + sizeof(std::uint64_t)) + " is wrong";
    return false;
  }

 private:
  enum class Field { none, dtype, shape, offsets };

  StoredTensor& tensor() { return entries.back().tensor; }
  std::string field_name() const {
    return field_ == Field::dtype ? "dtype" : field_ == Field::shape ? "shape" : "data_offsets";
  }
  bool refuse(std::string_view what) {
    fault = "tensor " + printable(entries.empty() ? "" : tensor().name, kMaxPrintedName) + ": ";
    fault.append(what);
    return false;
  }
  bool misplaced() {
    if (depth_ >= 2 && !in_metadata_ && !entries.empty()) {
      return refuse("its " + (field_ == Field::none ? "entry" : field_name()) +
                    " is not in the format's form");
    }
    fault = "its header is not in the format's form";
    return false;
  }
  bool misplaced_number(const std::string& text) {
    if (depth_ != 3) return misplaced();
    return refuse(printable(text, kMaxPrintedName) + " in its " + field_name() +
                  " is no whole number below 2^64");
  }
  bool begin_entry(const std::string& name) {
    in_metadata_ = name == "__metadata__";
    if (in_metadata_) return true;
    entries.emplace_back();
    tensor().name = name;
    field_ = Field::none;
    if (name.empty() || name.size() > kMaxName)
      return refuse("a name of " + std::to_string(name.size()) + " bytes");
    return true;
  }
  bool begin_field(const std::string& name) {
    Entry& entry = entries.back();
    const auto begin = [&](Field field, bool& seen) {
      field_ = field;
      if (seen) return refuse("its " + field_name() + " stands there twice");
      return seen = true;
    };
    if (name == "dtype") return begin(Field::dtype, entry.has_dtype);
    if (name == "shape") return begin(Field::shape, entry.has_shape);
    if (name == "data_offsets") return begin(Field::offsets, entry.has_offsets);
    return refuse("has the unknown field '" + printable(name, kMaxPrintedName) + "'");
  }

  std::size_t depth_ = 0;  // of what is open: 1 the header, 2 a tensor or the metadata, 3 a list
  bool in_metadata_ = false;
  Field field_ = Field::none;
};

[[noreturn]] void refuse(const std::string& shown, const Entry& entry, std::string_view what) {
  throw ModelError(
      shown, "tensor " + printable(entry.tensor.name, kMaxPrintedName) + ": " + std::string(what), kDamaged);
}

// Bytes that dtype and shape ask for.
std::uint64_t bytes_of(Entry& entry, const std::string& shown) {
  const auto* const row = std::ranges::find(kDtypes, entry.tensor.dtype_name, &DtypeRow::name);
  if (row == kDtypes.end()) {
    refuse(shown, entry,
           "the dtype '" + printable(entry.tensor.dtype_name, kMaxPrintedName) + "' is unknown");
  }
  entry.tensor.dtype = row->dtype;
  std::uint64_t n = row->bytes;
  for (const std::uint64_t dim : entry.tensor.shape) {
    if (dim != 0 && n > std::numeric_limits<std::uint64_t>::max() / dim) {
      refuse(shown, entry, "the shape " + describe_shape(entry.tensor.shape) + " is too large");
    }
    n *= dim;
  }
  return n;
}

// Gives the tensors their bytes, which must follow one another and be all there are.
std::vector<StoredTensor> place(std::vector<Entry> entries, std::span<const std::byte> data,
                                const std::string& shown) {
  for (const Entry& entry : entries) {
    if (entry.offsets.size() != 2) refuse(shown, entry, "its data_offsets are not two numbers");
  }
  std::ranges::sort(entries, {}, [](const Entry& e) { return std::pair(e.offsets[0], e.offsets[1]); });
  std::uint64_t end = 0;
  std::vector<StoredTensor> tensors;
  tensors.reserve(entries.size());
  for (Entry& entry : entries) {
    const std::uint64_t from = entry.offsets[0];
    const std::uint64_t to = entry.offsets[1];
    const std::string where = "its data_offsets " + std::to_string(from) + " to " + std::to_string(to) + " ";
    if (to < from) refuse(shown, entry, where + "run backwards");
    if (to > data.size()) {
      refuse(shown, entry, where + "are beyond the data's " + std::to_string(data.size()) + " bytes");
    }
    if (from != end) {
      refuse(shown, entry,
             where + (from < end ? "overlap the tensor before" : "leave a gap behind the tensor before") +
                 ", which ends at " + std::to_string(end));
    }
    if (const std::uint64_t needed = bytes_of(entry, shown); needed != to - from) {
      refuse(shown, entry,
             where + "are " + std::to_string(to - from) + " bytes where " + entry.tensor.dtype_name + " " +
                 describe_shape(entry.tensor.shape) + " needs " + std::to_string(needed));
    }
    entry.tensor.data = data.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
    end = to;
    tensors.push_back(std::move(entry.tensor));
  }
  if (end != data.size()) {
    throw ModelError(shown, std::to_string(data.size() - end) + " bytes at its end belong to no tensor",
                     kDamaged);
  }
  return tensors;
}

}  // namespace

std::vector<StoredTensor> read_safetensors_header(std::span<const std::byte> file, const std::string& shown) {
  std::uint64_t length = 0;
  if (file.size() < sizeof length) {
    throw ModelError(shown, "is no safetensors file: it has " + std::to_string(file.size()) + " bytes",
                     kDamaged);
  }
  std::memcpy(&length, file.data(), sizeof length);
  const std::uint64_t room = file.size() - sizeof length;
  if (length > room || length > kMaxHeader) {
    throw ModelError(shown,
                     "its first bytes name a header of " + std::to_string(length) + " bytes; " +
                         (length > room ? std::to_string(room) + " follow" : "none is so long"),
                     "it is no safetensors file, or was cut short: download it again");
  }
  const std::string_view header(reinterpret_cast<const char*>(file.data()) + sizeof length, length);
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(header, &reader)) throw ModelError(shown, reader.fault, kDamaged);
  if (reader.entries.empty()) throw ModelError(shown, "holds no tensors", kDamaged);
  return place(std::move(reader.entries), file.subspan(sizeof length + length), shown);
}

}  // namespace bitnet::convert
