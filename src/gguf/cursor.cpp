#include "gguf/cursor.h"

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::gguf {

void refuse(const std::string& file, std::string_view what, std::string_view entry, std::uint64_t offset,
            std::string_view hint) {
  std::string where_in_file;
  if (!entry.empty()) where_in_file.append(entry).append(", ");
  where_in_file.append("byte offset ").append(std::to_string(offset));
  throw ModelError(printable(file, kMaxPrintedPath), std::string(what) + " (" + where_in_file + ")", hint);
}

std::string quoted(std::string_view kind, std::string_view name) {
  return std::string(kind) + " '" + printable(name, kMaxPrintedName) + "'";
}

void Cursor::refuse_at(std::uint64_t offset, std::string_view what, std::string_view hint) const {
  std::string entry;
  if (!name_.empty()) {
    entry = quoted(kind_, name_);
  } else if (!kind_.empty()) {
    entry = std::string(kind_) + " number " + std::to_string(number_);
  }
  refuse(file_, what, entry, offset, hint);
}

void Cursor::refuse_end(std::string_view what) const {
  refuse_at(offset_, "the file ends inside the " + std::string(what));
}

const std::byte* Cursor::take(std::size_t n, std::string_view what) {
  if (n > remaining()) refuse_end(what);
  const std::byte* const at = bytes_.data() + offset_;
  offset_ += n;
  return at;
}

std::string_view Cursor::read_string(std::string_view what, std::uint64_t max_length) {
  const std::uint64_t start = offset_;
  const auto length = read<std::uint64_t>(what);
  if (length > max_length) {
    refuse_at(start, "the " + std::string(what) + " is " + std::to_string(length) +
                         " bytes long, more than " + std::to_string(max_length));
  }
  if (length > remaining()) {
    refuse_at(start, "the " + std::string(what) + " of " + std::to_string(length) +
                         " bytes runs past the end of the file");
  }
  const std::byte* const at = take(static_cast<std::size_t>(length), what);
  return {reinterpret_cast<const char*>(at), static_cast<std::size_t>(length)};
}

std::span<const std::byte> Cursor::read_block(std::uint64_t count, std::uint64_t size,
                                              std::string_view what) {
  if (count > remaining() / size) refuse_end(what);
  const auto n_bytes = static_cast<std::size_t>(count * size);
  return {take(n_bytes, what), n_bytes};
}

}  // namespace bitnet::gguf
