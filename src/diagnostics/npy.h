// The header of numpy's .npy format, versions 1 to 3: https://numpy.org/neps/nep-0001-npy-format.html
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

struct NpyHeader {
  std::string type;  // "<f4", "<i8", ...
  bool fortran_order = false;
  std::vector<std::uint64_t> dims;  // the outermost first; none for a single number
};

// Magic, version and the length of the rest: what must be read first.
inline constexpr std::size_t kNpyPrefix = 12;
// Bytes of the header text and where it begins, from the first kNpyPrefix bytes of a file. nullopt: no .npy.
struct NpyText {
  std::size_t begin = 0;
  std::size_t size = 0;
};
std::optional<NpyText> find_npy_text(std::string_view prefix);
// nullopt when it is none that numpy writes.
std::optional<NpyHeader> parse_npy_text(std::string_view text);

// A whole header, version 1; its size is a multiple of 64.
std::string make_npy_header(std::string_view type, std::span<const std::uint64_t> dims);

}  // namespace bitnet
