// Zero codes of an I2_S tensor by where they lie, whatever its layout is.
//
// Whichever layout it is, four rows take `cols` bytes, and which columns the codes of a byte belong to
// depends on its place in these alone. So place (p, s) is bits 6 - 2 * s of bytes p, p + cols, p + 2 * cols,
// ... of the tensor's codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bitnet/model.h"

namespace bitnet {

class PlaceCounts {
 public:
  explicit PlaceCounts(std::size_t cols) : cols_(cols), recent_(4 * cols), earlier_(4 * cols) {}

  std::size_t cols() const { return cols_; }
  // Codes from the beginning of four rows on: `cols` bytes for each four, the last of which may be cut.
  void add(std::span<const std::byte> codes);
  void add(const PlaceCounts& others);

  // Zeros of each column, [cols], as the layout has them. cols must be a multiple of 128.
  std::vector<std::uint32_t> by_column(I2sLayout layout) const;

 private:
  void keep_recent();

  std::size_t cols_;
  // Zeros of place (p, s) at s * cols + p: those of the last n_recent_ times four rows, and of all before
  // them.
  std::vector<std::uint8_t> recent_;
  std::vector<std::uint32_t> earlier_;
  unsigned n_recent_ = 0;
};

}  // namespace bitnet
