// The packed matrices of Hugging Face's bitnet quantization: uint8, four output rows in a byte row. With n
// byte rows, bits 2i and 2i + 1 of byte row r hold row r + i n; the code 0 is -1, 1 is 0, 2 is +1, and 3
// stands for nothing. Source: pack_weights in transformers' integrations/bitnet.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace bitnet::convert {

inline constexpr std::uint64_t kRowsPerByteRow = 4;

// How many byte rows hold `rows`; those behind the last are padding.
constexpr std::uint64_t byte_rows_of(std::uint64_t rows) {
  return rows / kRowsPerByteRow + (rows % kRowsPerByteRow != 0 ? 1 : 0);
}

// The codes of one of the four rows (0 to 3) of a byte row, in sequence: element j at bits 2 (j % 16) of word
// j / 16. words: [(bytes.size() + 15) / 16], of which bits behind the last element are 0.
void unpack_row(std::span<const std::byte> bytes, unsigned which, std::uint32_t* words);

// The first column where one of the rows [begin, end) of a byte row has the code 3.
struct Code3 {
  std::size_t column = 0;
  unsigned which = 0;  // row
};
std::optional<Code3> find_code_3(std::span<const std::byte> bytes, unsigned begin, unsigned end);

}  // namespace bitnet::convert
