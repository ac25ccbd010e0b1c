// How the parts of a split model are named, in their files' names and among their keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bitnet::gguf {

inline constexpr std::string_view kSplitNumberKey = "split.no";              // u16, from 0
inline constexpr std::string_view kSplitCountKey = "split.count";            // u16
inline constexpr std::string_view kSplitTensorsKey = "split.tensors.count";  // i32, of all parts
inline constexpr std::uint64_t kMostParts = 65535;  // that the keys can number; names have five digits

// "-00001-of-00003.gguf", of part 0 of 3.
std::string parts_ending(std::uint64_t number, std::uint64_t count);
// The length of such an ending of a path, whatever its numbers; 0: it has none.
std::size_t parts_ending_of(std::string_view path);

}  // namespace bitnet::gguf
