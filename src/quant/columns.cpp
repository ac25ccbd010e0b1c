#include "quant/columns.h"

#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>

#include "quant/i2_s.h"

namespace bitnet::quant {
namespace {

using i2_s::kGroup;
using i2_s::kGroupBytes;

// The codes of 256 rows in one group of columns: byte p of a line, for each column.
using LineOfGroup = std::array<std::array<std::uint8_t, kGroup>, Columns::kLineBytes>;

// The codes of one row in this group to the bits from `shift` on: eight bytes at a time.
template <unsigned shift>
void add_row(const std::uint8_t* codes, std::array<std::uint8_t, kGroup>& line) {
  constexpr std::uint64_t kField = 0x0303030303030303U;
  for (std::size_t j = 0; j < kGroupBytes; j += sizeof kField) {
    std::uint64_t word;
    std::memcpy(&word, codes + j, sizeof word);
    const std::array<std::uint64_t, 4> fields{word >> 6, word >> 4, word >> 2, word};
    for (std::size_t k = 0; k < fields.size(); ++k) {
      std::uint64_t sum;
      std::memcpy(&sum, &line[k * kGroupBytes + j], sizeof sum);
      sum |= (fields[k] & kField) << shift;
      std::memcpy(&line[k * kGroupBytes + j], &sum, sizeof sum);
    }
  }
}

}  // namespace

void copy_to_columns(const Matrix& from, std::size_t begin, std::size_t end, std::byte* to) {
  assert(begin % kGroup == 0 && end % kGroup == 0);
  const Columns shape{.rows = from.rows, .cols = from.cols};
  const auto* data = reinterpret_cast<const std::uint8_t*>(from.data);
  auto* out = reinterpret_cast<std::uint8_t*>(to);
  for (std::size_t line = 0; line < shape.lines(); ++line) {
    for (std::size_t col = begin; col < end; col += kGroup) {
      LineOfGroup group{};
      for (std::size_t p = 0; p < Columns::kLineBytes; ++p) {
        const std::size_t row = line * Columns::kLineRows + Columns::byte_of(p);
        const auto codes = [&](std::size_t r) { return data + (r * from.cols + col) / 4; };
        if (row < from.rows) add_row<0>(codes(row), group[p]);
        if (row + 64 < from.rows) add_row<2>(codes(row + 64), group[p]);
        if (row + 128 < from.rows) add_row<4>(codes(row + 128), group[p]);
        if (row + 192 < from.rows) add_row<6>(codes(row + 192), group[p]);
      }
      std::uint8_t* const first = out + col * shape.column_bytes() + line * Columns::kLineBytes;
      for (std::size_t c = 0; c < kGroup; ++c) {
        for (std::size_t p = 0; p < Columns::kLineBytes; ++p)
          first[c * shape.column_bytes() + p] = group[p][c];
      }
    }
  }
}

}  // namespace bitnet::quant
