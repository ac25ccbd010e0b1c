// Reads GGUF versions 2 and 3 from bytes that stay where they are (a mapping or built-in data).
// Format: the layout is described at https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
//
// Everything in a header is untrusted: counts, lengths, offsets and products are checked against the number
// of bytes there are before anything is read or allocated, and nothing is allocated beyond the size of the
// input.
//
// A model may be split: STEM-00001-of-00003.gguf and so on, each a GGUF file with some of the tensors and the
// keys split.no, split.count and split.tensors.count; the first has the metadata too. Whichever part is
// named, all are opened, and are one File.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "bitnet/error.h"
#include "gguf/value.h"

namespace bitnet::gguf {

class Cursor;

// One tensor's place in the file. The bytes are not interpreted here.
struct Tensor {
  std::string_view name;
  std::uint32_t n_dims = 0;
  std::uint32_t part = 0;                         // of a split model, from 0
  std::array<std::uint64_t, 4> dims{1, 1, 1, 1};  // dims[0] is the contiguous one; unused ones are 1
  std::uint32_t type = 0;                         // ggml type id
  std::uint64_t file_offset = 0;                  // of the first data byte, from the start of its file
  std::span<const std::byte> extent;  // from the first data byte to the next tensor or the file's end

  // Checked to be at least 1 and at most 8 * extent.size(): no type has less than a bit for an element.
  std::uint64_t n_elements() const { return dims[0] * dims[1] * dims[2] * dims[3]; }
};

// The header of a GGUF file: its metadata keys and its tensors, all of them validated when it is opened, so
// that reading them afterwards cannot fail but for a value of the wrong type.
//
// Every string_view, span, Value and Tensor given out points into the file's bytes or this object; moving the
// File keeps them valid, destroying it (or, for from_bytes, the bytes) does not. A moved-from File can only
// be assigned to or destroyed.
class File {
 public:
  // Maps the file, and the other parts if it is one of a split model. Throws ModelError when one cannot be
  // read or is refused. on_read: see MappedFile.
  static File open(const std::string& path, const MappedFile::ReadHook& on_read = {});
  // `bytes` must outlive the File. `name` stands for the file in messages. Throws ModelError.
  static File from_bytes(std::span<const std::byte> bytes, std::string name);
  // For looking at a file that may be refused: keeps what was read before the damage and puts the refusal
  // into `damage` instead of throwing it. The metadata is then complete or empty; tensors have no bytes, are
  // not found by name, and n_elements() may exceed any file. A file that cannot be read at all still throws.
  static File open_damaged(const std::string& path, std::string& damage,
                           const MappedFile::ReadHook& on_read = {});
  static File from_damaged(std::span<const std::byte> bytes, std::string name, std::string& damage);

  // Of a split model, these are the first part's.
  const std::string& name() const { return *name_; }
  std::uint32_t version() const { return version_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::uint64_t alignment() const { return alignment_; }
  // From the start of the file. May lie past its end when there are no tensors.
  std::uint64_t data_offset() const { return data_offset_; }

  // 1 unless the model is split; part(0) is then the first part, part(n_parts() - 1) the last. A part's own
  // tensors() are empty but for the first, which has those of all.
  std::size_t n_parts() const { return 1 + other_parts_.size(); }
  const File& part(std::size_t i) const { return i == 0 ? *this : other_parts_[i - 1]; }
  // Bytes of all parts together.
  std::uint64_t size() const;

  // Metadata in file order. Keys are unique. i < n_keys().
  std::size_t n_keys() const { return key_offsets_.size(); }
  std::string_view key(std::size_t i) const;
  Value value(std::size_t i) const;

  // O(log n_keys()).
  std::optional<Value> find(std::string_view key) const;

  // nullopt: there is no such key. Throws ModelError naming file and key when it holds another type.
  // get_uint takes any integer type and refuses negative values; get_number takes any integer or float type,
  // and get_numbers arrays of them.
  std::optional<std::string_view> get_string(std::string_view key) const;
  std::optional<std::uint64_t> get_uint(std::string_view key) const;
  std::optional<double> get_number(std::string_view key) const;
  std::optional<bool> get_bool(std::string_view key) const;
  std::optional<StringArray> get_strings(std::string_view key) const;
  std::optional<NumberArray> get_numbers(std::string_view key) const;

  // Of the file as it was opened, or of the first part. nullopt: the bytes are someone else's.
  std::optional<FileIdentity> identity() const;

  // For people: that files could not be mapped and were read into memory. Empty: they were mapped.
  std::string read_notice() const;

  // Brings the pages of a mapped file in at once: far cheaper than one by one as they are touched.
  void populate(std::span<const std::byte> bytes) const;
  // Copies the bytes; those of a mapped file without bringing their pages in.
  void read(std::span<const std::byte> bytes, std::byte* to) const;
  // The bytes won't be read again soon: their pages of a mapped file may go, and come back when they are.
  void give_back(std::span<const std::byte> bytes) const;

  // In file order. Names and places are unique. find_tensor is O(log n) and gives nullptr for unknown names.
  std::span<const Tensor> tensors() const { return tensors_; }
  const Tensor* find_tensor(std::string_view name) const;

 private:
  File(std::span<const std::byte> bytes, std::string name);
  static File map(const std::string& path, const MappedFile::ReadHook& on_read);
  void parse();
  void add_other_parts(const MappedFile::ReadHook& on_read);
  void join(std::vector<File> others, std::size_t place);
  const MappedFile* mapping_of(std::span<const std::byte> bytes) const;
  void parse_what_is_there(std::string& damage, const MappedFile::ReadHook& on_read = {});
  void read_keys(Cursor& cursor, std::uint64_t n_keys);
  void read_alignment();
  void read_tensors(Cursor& cursor, std::uint64_t n_tensors);
  void place_tensors();
  void index_tensor_names();
  [[noreturn]] void refuse_tensor(const Tensor& tensor, std::string_view what) const;
  std::optional<std::size_t> key_index(std::string_view key) const;
  template <typename T>
  std::optional<T> get(std::string_view key, std::optional<T> (Value::*as)() const,
                       std::string_view wanted) const;

  std::optional<MappedFile> mapping_;        // empty when the bytes are someone else's
  std::unique_ptr<const std::string> name_;  // on the heap: values point to it
  std::span<const std::byte> bytes_;
  std::uint32_t version_ = 0;
  std::uint64_t alignment_ = 0;
  std::uint64_t data_offset_ = 0;
  std::vector<std::uint64_t> key_offsets_;  // of each key's length field, in file order
  std::vector<std::uint32_t> key_order_;    // indices of keys, sorted by key
  std::vector<Tensor> tensors_;
  std::vector<std::uint32_t> tensor_order_;  // indices of tensors, sorted by name
  std::vector<File> other_parts_;            // from the second on
};

}  // namespace bitnet::gguf
