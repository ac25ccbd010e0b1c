// Rows of codes made up, and written as a type has them.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <utility>
#include <vector>

#include "quant/coded_row.h"

namespace bitnet::quant::made_rows {

using Bytes = std::vector<std::byte>;

// n bytes alike but for some, {place, byte}.
inline Bytes filled(std::size_t n, unsigned fill,
                    std::initializer_list<std::pair<std::size_t, unsigned>> others) {
  Bytes bytes(n, static_cast<std::byte>(fill));
  for (const auto& [at, byte] : others) bytes[at] = static_cast<std::byte>(byte);
  return bytes;
}

inline std::vector<float> values_of(const Matrix& w, std::size_t row) {
  std::vector<float> values(w.cols);
  info(w.type).decode_row(w, row, values.data());
  return values;
}

inline std::vector<float> values_of(const CodedRow& row) {
  std::vector<float> values(row.cols);
  decode_row(row, values.data());
  return values;
}

struct Written {
  CodedFit fit;
  Bytes bytes;
  std::vector<float> values;  // by the type's own reading
};

inline Written write(const CodedRow& row, TensorType type, float scale = 1.0F) {
  Written written{CodedFit::exact, Bytes(coded_row_bytes(type, row.cols), std::byte{0xA5}), {}};
  written.fit = write_coded_row(row, type, scale, written.bytes.data());
  written.values = values_of({type, 1, row.cols, written.bytes.data(), scale}, 0);
  return written;
}

// codes of 0 to 3, one scale for each block of them.
inline CodedRow coded(const std::vector<unsigned>& codes, std::vector<float> scales,
                      Codebook codebook = Codebook::ternary) {
  CodedRow row;
  row.codebook = codebook;
  row.resize(codes.size(), codes.size() / scales.size());
  row.scales = std::move(scales);
  for (std::size_t j = 0; j < codes.size(); ++j) row.words[j / 16] |= codes[j] << (2 * (j % 16));
  return row;
}

}  // namespace bitnet::quant::made_rows
