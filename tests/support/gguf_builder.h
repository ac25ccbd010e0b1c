// Writes GGUF files for tests, whole models and hostile files alike.
//
//   GgufBuilder b;
//   b.add("general.architecture", "bitnet").add("bitnet.block_count", std::uint32_t{2});
//   b.add_f32("norm.weight", {64}, values).add_i2s("w", {128, 4}, trits, 0.5f);
//   const std::vector<std::byte> file = b.build();
//
// build() checks nothing: wrong types, sizes and names are written as given. What it cannot express is made
// by patching the bytes at a place that fields() names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "bitnet/model.h"
#include "gguf/value.h"

namespace bitnet::test {

template <typename T>
concept Number = std::is_arithmetic_v<T>;

// One number of the header or one name's place, as the last build() wrote it.
struct GgufField {
  std::string name;  // see GgufBuilder::fields
  std::size_t offset = 0;
  std::size_t size = 0;
};

class GgufBuilder {
 public:
  GgufBuilder& version(std::uint32_t v);  // 3 unless set
  // Aligns data to `n` and writes the key general.alignment (first of all). 32, without the key, unless set.
  GgufBuilder& alignment(std::uint32_t n);

  // A metadata key; the type written follows that of the value: std::int8_t gives i8, float f32, bool bool,
  // ...
  template <Number T>
  GgufBuilder& add(std::string_view key, T value) {
    return add_raw(key, static_cast<std::uint32_t>(type_of<T>()), bytes_of(value));
  }
  GgufBuilder& add(std::string_view key, std::string_view value);
  GgufBuilder& add(std::string_view key, const char* value) { return add(key, std::string_view(value)); }
  GgufBuilder& add(std::string_view key, const std::string& value) {
    return add(key, std::string_view(value));
  }

  // A metadata array.
  template <Number T>
  GgufBuilder& add_array(std::string_view key, const std::vector<T>& values) {
    std::vector<std::byte> elements;
    for (const T value : values) append(elements, bytes_of(value));
    return add_raw_array(key, static_cast<std::uint32_t>(type_of<T>()), values.size(), elements);
  }
  template <Number T>
  GgufBuilder& add_array(std::string_view key, std::initializer_list<T> values) {
    return add_array(key, std::vector<T>(values));
  }
  GgufBuilder& add_array(std::string_view key, const std::vector<std::string>& values);

  // A value type id with the bytes of the value, whatever they are.
  GgufBuilder& add_raw(std::string_view key, std::uint32_t type, std::span<const std::byte> value);
  GgufBuilder& add_raw_array(std::string_view key, std::uint32_t element_type, std::uint64_t count,
                             std::span<const std::byte> elements);

  // A tensor; dims[0] is the contiguous dimension. `type` is the ggml type id.
  GgufBuilder& add_tensor(std::string_view name, std::vector<std::uint64_t> dims, std::uint32_t type,
                          std::span<const std::byte> data);
  GgufBuilder& add_f32(std::string_view name, std::vector<std::uint64_t> dims, std::span<const float> values);
  GgufBuilder& add_f16(std::string_view name, std::vector<std::uint64_t> dims, std::span<const float> values);
  GgufBuilder& add_bf16(std::string_view name, std::vector<std::uint64_t> dims,
                        std::span<const float> values);
  // Ternary values -1, 0, 1 in row-major order; see pack_i2s.
  GgufBuilder& add_i2s(std::string_view name, std::vector<std::uint64_t> dims,
                       std::span<const std::int8_t> values, float scale, I2sLayout layout = I2sLayout::x86);

  // The file. Every tensor's data is padded to the alignment, the last one's too.
  std::vector<std::byte> build();

  // The number fields of the file last built, in file order: "magic", "version", "n_tensors", "n_keys",
  // "key KEY/length", "key KEY/type", "key KEY/string_length", "key KEY/element_type", "key KEY/count",
  // "key KEY/element I/length" (arrays of strings, the first thousand), "tensor NAME/length", "tensor
  // NAME/n_dims", "tensor NAME/dim I", "tensor NAME/type", "tensor NAME/offset".
  const std::vector<GgufField>& fields() const { return fields_; }
  // Offset of a field of the file last built. Throws std::out_of_range for an unknown name.
  std::size_t offset_of(std::string_view field) const;
  // Where the last header byte built ends: padding and data follow.
  std::size_t header_size() const { return header_size_; }

  template <Number T>
  static std::vector<std::byte> bytes_of(T value) {
    std::vector<std::byte> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  }

 private:
  struct Key {
    std::string name;
    std::uint32_t type = 0;
    std::vector<std::byte> value;
  };
  struct TensorEntry {
    std::string name;
    std::vector<std::uint64_t> dims;
    std::uint32_t type = 0;
    std::vector<std::byte> data;
  };

  template <Number T>
  static constexpr gguf::ValueType type_of() {
    using enum gguf::ValueType;
    if constexpr (std::is_same_v<T, bool>) {
      return boolean;
    } else if constexpr (std::is_floating_point_v<T>) {
      return sizeof(T) == 4 ? f32 : f64;
    } else {
      constexpr bool is_signed = std::is_signed_v<T>;
      switch (sizeof(T)) {
        case 1:
          return is_signed ? i8 : u8;
        case 2:
          return is_signed ? i16 : u16;
        case 4:
          return is_signed ? i32 : u32;
        default:
          return is_signed ? i64 : u64;
      }
    }
  }
  static void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  template <Number T>
  void put(std::vector<std::byte>& out, T value, std::string field);
  void put_name(std::vector<std::byte>& out, std::string_view name, const std::string& field);
  void put_key(std::vector<std::byte>& out, const Key& key);
  void pad(std::vector<std::byte>& out) const;

  std::uint32_t version_ = 3;
  std::uint32_t alignment_ = 32;
  std::vector<Key> keys_;
  std::vector<TensorEntry> tensors_;
  std::vector<GgufField> fields_;
  std::size_t header_size_ = 0;
};

// Overwrites the bytes at `offset` with `value`. Throws std::out_of_range past the end.
template <Number T>
void patch(std::vector<std::byte>& file, std::size_t offset, T value) {
  const std::vector<std::byte> bytes = GgufBuilder::bytes_of(value);
  for (std::size_t i = 0; i < bytes.size(); ++i) file.at(offset + i) = bytes[i];
}

// Microsoft's I2_S: the codes of all elements, the scale, padding; n / 4 + 32 bytes. A multiple of 128 (x86)
// or 64 (ARM) elements, or of four rows of `cols` (rows4).
std::vector<std::byte> pack_i2s(std::span<const std::int8_t> values, float scale,
                                I2sLayout layout = I2sLayout::x86, std::size_t cols = 0);

// A model's file that has its I2_S tensors in the layout of x86, with them in another.
std::vector<std::byte> in_i2s_layout(std::span<const std::byte> x86_file, I2sLayout layout);

}  // namespace bitnet::test
