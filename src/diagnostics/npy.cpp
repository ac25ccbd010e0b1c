#include "diagnostics/npy.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace bitnet {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxDims = 32;  // numpy's own limit

// The text behind 'KEY': in the dictionary; empty when there is no such key.
std::string_view value_of(std::string_view text, std::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const std::string name = quote + std::string(key) + quote;
    std::size_t at = text.find(name);
    if (at == std::string_view::npos) continue;
    at = text.find_first_not_of(" \t", at + name.size());
    if (at == std::string_view::npos || text[at] != ':') return {};
    at = text.find_first_not_of(" \t", at + 1);
    return at == std::string_view::npos ? std::string_view() : text.substr(at);
  }
  return {};
}

std::optional<std::vector<std::uint64_t>> parse_dims(std::string_view text) {
  if (!text.starts_with('(')) return std::nullopt;
  text = text.substr(1, text.find(')') - 1);
  std::vector<std::uint64_t> dims;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(" ,"), text.size()));
    if (text.empty()) return dims;
    std::uint64_t dim = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), dim);
    if (error != std::errc{} || dims.size() == kMaxDims) return std::nullopt;
    dims.push_back(dim);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with('L')) text.remove_prefix(1);  // Python 2 wrote 8L
  }
}

}  // namespace

std::optional<NpyText> find_npy_text(std::string_view prefix) {
  if (prefix.size() < kNpyPrefix || !prefix.starts_with(kMagic)) return std::nullopt;
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(prefix[i]));
  };
  const std::size_t version = byte(6);
  if (version == 1) return NpyText{10, byte(8) | byte(9) << 8};
  if (version == 2 || version == 3)
    return NpyText{12, byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24};
  return std::nullopt;
}

std::optional<NpyHeader> parse_npy_text(std::string_view text) {
  NpyHeader header;
  const std::string_view type = value_of(text, "descr");
  if (type.empty() || (type[0] != '\'' && type[0] != '"')) return std::nullopt;
  const std::size_t end = type.find(type[0], 1);
  if (end == std::string_view::npos) return std::nullopt;
  header.type = type.substr(1, end - 1);
  const std::string_view order = value_of(text, "fortran_order");
  header.fortran_order = order.starts_with("True");
  if (!header.fortran_order && !order.starts_with("False")) return std::nullopt;
  const std::string_view shape = value_of(text, "shape");
  if (shape.find(')') == std::string_view::npos) return std::nullopt;
  auto dims = parse_dims(shape);
  if (!dims) return std::nullopt;
  header.dims = std::move(*dims);
  return header;
}

std::string make_npy_header(std::string_view type, std::span<const std::uint64_t> dims) {
  std::string text = "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': (";
  for (const std::uint64_t dim : dims) text += std::to_string(dim) + ", ";
  if (dims.size() > 1) text.resize(text.size() - 2);  // a tuple of one keeps its comma
  if (dims.size() == 1) text.pop_back();
  text += "), }";
  constexpr std::size_t kStart = 10;
  constexpr std::size_t kAlignment = 64;
  const std::size_t size = (kStart + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment - kStart;
  text.resize(size - 1, ' ');
  text += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(size & 0xFF), static_cast<char>(size >> 8)};
  return header + text;
}

}  // namespace bitnet
