#include "model/kept_rows.h"

#include <algorithm>

namespace bitnet {

bool KeptRows::leave_after(std::size_t layer, std::uint8_t n_counted) {
  n_by_columns_[layer] = 0;
  n_by_rows_[layer] = static_cast<std::uint8_t>(std::min(n_by_rows_[layer] + n_counted, int{kFrom}));
  return !stay(layer);
}

bool KeptRows::leave_after_columns(std::size_t layer) {
  if (n_by_rows_[layer] == 0 || is_tried(layer)) return false;
  if (stay(layer) && ++n_by_columns_[layer] < kFor) return false;
  n_by_rows_[layer] = 0;
  return true;
}

}  // namespace bitnet
