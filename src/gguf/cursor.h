// A bounds-checked walk over the header of a GGUF file. Whatever does not fit is refused with a ModelError
// that says what was being read, for which key or tensor, and at which byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "gguf/load.h"

namespace bitnet::gguf {

// What is to be done about a file that is cut or garbled; most refusals end in it.
inline constexpr std::string_view kFetchAgain =
    "the file is damaged or incomplete, download or convert it again";

// "FILE: WHAT (ENTRY, byte offset N); HINT". `entry` may be empty.
[[noreturn]] void refuse(const std::string& file, std::string_view what, std::string_view entry,
                         std::uint64_t offset, std::string_view hint = kFetchAgain);

// "key 'general.name'", "tensor 'output.weight'": cut, and escaped for a terminal.
std::string quoted(std::string_view kind, std::string_view name);

class Cursor {
 public:
  // Both must outlive the cursor. `file` is the name for messages.
  Cursor(std::span<const std::byte> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  std::uint64_t offset() const { return offset_; }
  std::uint64_t remaining() const { return bytes_.size() - offset_; }

  // Says which key or tensor the following reads belong to: by number (from 1) until its name is known.
  void enter(std::string_view kind, std::uint64_t number) {
    kind_ = kind;
    number_ = number;
    name_ = {};
  }
  void set_name(std::string_view name) { name_ = name; }

  template <typename T>
  T read(std::string_view what) {
    return load<T>(take(sizeof(T), what));
  }
  // A string of at most max_length bytes.
  std::string_view read_string(std::string_view what, std::uint64_t max_length);
  // `count` things of `size` bytes each, size > 0.
  std::span<const std::byte> read_block(std::uint64_t count, std::uint64_t size, std::string_view what);

  // Refuses the current key or tensor; `offset` is where the offending field begins.
  [[noreturn]] void refuse_at(std::uint64_t offset, std::string_view what,
                              std::string_view hint = kFetchAgain) const;

 private:
  const std::byte* take(std::size_t n, std::string_view what);
  [[noreturn]] void refuse_end(std::string_view what) const;

  std::span<const std::byte> bytes_;
  const std::string& file_;
  std::uint64_t offset_ = 0;
  std::string_view kind_;
  std::uint64_t number_ = 0;
  std::string_view name_;
};

}  // namespace bitnet::gguf
