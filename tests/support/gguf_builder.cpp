#include "support/gguf_builder.h"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <utility>

#include "base/half.h"
#include "gguf/gguf.h"
#include "quant/i2_s.h"
#include "quant/tensor_type.h"

namespace bitnet::test {
namespace {

// Round to nearest even; the tests have no NaN to keep.
std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

std::span<const std::byte> text_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::vector<std::byte> string_value(std::string_view text) {
  std::vector<std::byte> out = GgufBuilder::bytes_of<std::uint64_t>(text.size());
  const auto bytes = text_bytes(text);
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}

}  // namespace

GgufBuilder& GgufBuilder::version(std::uint32_t v) {
  version_ = v;
  return *this;
}

GgufBuilder& GgufBuilder::alignment(std::uint32_t n) {
  alignment_ = n;
  keys_.insert(keys_.begin(),
               Key{"general.alignment", static_cast<std::uint32_t>(gguf::ValueType::u32), bytes_of(n)});
  return *this;
}

GgufBuilder& GgufBuilder::add(std::string_view key, std::string_view value) {
  return add_raw(key, static_cast<std::uint32_t>(gguf::ValueType::string), string_value(value));
}

GgufBuilder& GgufBuilder::add_array(std::string_view key, const std::vector<std::string>& values) {
  std::vector<std::byte> elements;
  for (const std::string& value : values) append(elements, string_value(value));
  return add_raw_array(key, static_cast<std::uint32_t>(gguf::ValueType::string), values.size(), elements);
}

GgufBuilder& GgufBuilder::add_raw(std::string_view key, std::uint32_t type,
                                  std::span<const std::byte> value) {
  keys_.push_back({std::string(key), type, {value.begin(), value.end()}});
  return *this;
}

GgufBuilder& GgufBuilder::add_raw_array(std::string_view key, std::uint32_t element_type, std::uint64_t count,
                                        std::span<const std::byte> elements) {
  std::vector<std::byte> value = bytes_of(element_type);
  append(value, bytes_of(count));
  append(value, elements);
  return add_raw(key, static_cast<std::uint32_t>(gguf::ValueType::array), value);
}

GgufBuilder& GgufBuilder::add_tensor(std::string_view name, std::vector<std::uint64_t> dims,
                                     std::uint32_t type, std::span<const std::byte> data) {
  tensors_.push_back({std::string(name), std::move(dims), type, {data.begin(), data.end()}});
  return *this;
}

GgufBuilder& GgufBuilder::add_f32(std::string_view name, std::vector<std::uint64_t> dims,
                                  std::span<const float> values) {
  return add_tensor(name, std::move(dims), 0, std::as_bytes(values));
}

GgufBuilder& GgufBuilder::add_f16(std::string_view name, std::vector<std::uint64_t> dims,
                                  std::span<const float> values) {
  std::vector<std::byte> data;
  for (const float value : values) append(data, bytes_of(f32_to_f16(value)));
  return add_tensor(name, std::move(dims), 1, data);
}

GgufBuilder& GgufBuilder::add_bf16(std::string_view name, std::vector<std::uint64_t> dims,
                                   std::span<const float> values) {
  std::vector<std::byte> data;
  for (const float value : values) append(data, bytes_of(to_bf16(value)));
  return add_tensor(name, std::move(dims), 30, data);
}

GgufBuilder& GgufBuilder::add_i2s(std::string_view name, std::vector<std::uint64_t> dims,
                                  std::span<const std::int8_t> values, float scale, I2sLayout layout) {
  return add_tensor(name, std::move(dims), 36, pack_i2s(values, scale, layout));
}

template <Number T>
void GgufBuilder::put(std::vector<std::byte>& out, T value, std::string field) {
  fields_.push_back({std::move(field), out.size(), sizeof value});
  append(out, bytes_of(value));
}

void GgufBuilder::put_name(std::vector<std::byte>& out, std::string_view name, const std::string& field) {
  put<std::uint64_t>(out, name.size(), field + "/length");
  append(out, text_bytes(name));
}

// Beyond them nobody looks, and whole vocabularies take long.
constexpr std::size_t kMostElementFields = 1000;

void GgufBuilder::put_key(std::vector<std::byte>& out, const Key& key) {
  const std::string field = "key " + key.name;
  put_name(out, key.name, field);
  put(out, key.type, field + "/type");
  const std::size_t value = out.size();
  append(out, key.value);
  constexpr auto kString = static_cast<std::uint32_t>(gguf::ValueType::string);
  constexpr auto kArray = static_cast<std::uint32_t>(gguf::ValueType::array);
  if (key.type == kString && key.value.size() >= 8) fields_.push_back({field + "/string_length", value, 8});
  if (key.type != kArray || key.value.size() < 12) return;
  fields_.push_back({field + "/element_type", value, 4});
  fields_.push_back({field + "/count", value + 4, 8});
  std::uint32_t element_type = 0;
  std::memcpy(&element_type, key.value.data(), sizeof element_type);
  if (element_type != kString) return;
  std::size_t at = 12;
  for (std::size_t i = 0; i < kMostElementFields && key.value.size() - at >= 8; ++i) {
    std::uint64_t length = 0;
    std::memcpy(&length, key.value.data() + at, sizeof length);
    fields_.push_back({field + "/element " + std::to_string(i) + "/length", value + at, 8});
    if (length > key.value.size() - at - 8) break;
    at += 8 + static_cast<std::size_t>(length);
  }
}

void GgufBuilder::pad(std::vector<std::byte>& out) const {
  if (alignment_ > 1) out.resize((out.size() + alignment_ - 1) / alignment_ * alignment_);
}

std::vector<std::byte> GgufBuilder::build() {
  fields_.clear();
  std::vector<std::byte> out;
  put<std::uint32_t>(out, 0x46554747, "magic");
  put(out, version_, "version");
  put<std::uint64_t>(out, tensors_.size(), "n_tensors");
  put<std::uint64_t>(out, keys_.size(), "n_keys");
  for (const Key& key : keys_) put_key(out, key);

  std::vector<std::byte> data;
  for (const TensorEntry& tensor : tensors_) {
    const std::string field = "tensor " + tensor.name;
    put_name(out, tensor.name, field);
    put(out, static_cast<std::uint32_t>(tensor.dims.size()), field + "/n_dims");
    for (std::size_t i = 0; i < tensor.dims.size(); ++i) {
      put(out, tensor.dims[i], field + "/dim " + std::to_string(i));
    }
    put(out, tensor.type, field + "/type");
    put<std::uint64_t>(out, data.size(), field + "/offset");
    append(data, tensor.data);
    pad(data);
  }
  header_size_ = out.size();
  pad(out);
  append(out, data);
  return out;
}

std::size_t GgufBuilder::offset_of(std::string_view field) const {
  for (const GgufField& known : fields_) {
    if (known.name == field) return known.offset;
  }
  throw std::out_of_range("no field named " + std::string(field));
}

std::vector<std::byte> pack_i2s(std::span<const std::int8_t> values, float scale, I2sLayout layout,
                                std::size_t cols) {
  const std::size_t whole = layout == I2sLayout::rows4 ? 4 * cols : layout == I2sLayout::x86 ? 128 : 64;
  if (whole == 0 || values.size() % whole != 0) throw std::invalid_argument("I2_S takes whole groups");
  std::vector<std::byte> out(values.size() / 4 + 32);
  // What of the elements that lie together follows one another in a byte's bits.
  const std::size_t step = whole / 4;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t j = i % whole;
    const auto code = static_cast<std::byte>(values[i] + 1);
    out[i / whole * step + j % step] |= code << static_cast<int>(6 - 2 * (j / step));
  }
  std::memcpy(out.data() + values.size() / 4, &scale, sizeof scale);
  return out;
}

std::vector<std::byte> in_i2s_layout(std::span<const std::byte> x86_file, I2sLayout layout) {
  std::vector<std::byte> out(x86_file.begin(), x86_file.end());
  const gguf::File file = gguf::File::from_bytes(x86_file, "x86");
  for (const gguf::Tensor& t : file.tensors()) {
    if (t.type != quant::info(quant::TensorType::i2_s).id) continue;
    const quant::Matrix w{quant::TensorType::i2_s, t.dims[1], t.dims[0], t.extent.data(), 1.0F};
    std::vector<float> row(w.cols);
    std::vector<std::int8_t> trits;
    for (std::size_t r = 0; r < w.rows; ++r) {
      quant::i2_s::decode_row(w, r, row.data());
      for (const float v : row) trits.push_back(static_cast<std::int8_t>(v));
    }
    const float scale = quant::i2_s::tensor_scale(w.data, w.rows, w.cols);
    std::ranges::copy(pack_i2s(trits, scale, layout, w.cols),
                      out.begin() + static_cast<std::ptrdiff_t>(t.file_offset));
  }
  return out;
}

}  // namespace bitnet::test
