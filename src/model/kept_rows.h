// Which layers' rows of a product stay in memory beside their copy by columns.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"

namespace bitnet {

class KeptRows {
 public:
  // is_tried: rows are tried now and then, in layer 0; there they stay, since bringing them in for a try
  // takes longer than the product, and they would be slow to read.
  KeptRows(std::size_t n_layers, bool is_tried, const MemoryPurpose& purpose)
      : is_tried_(is_tried), n_by_rows_(n_layers, purpose), n_by_columns_(n_layers, purpose) {}

  bool is_tried(std::size_t layer) const { return is_tried_ && layer == 0; }
  // Whether a product by rows left them in memory.
  bool are_here(std::size_t layer) const { return n_by_rows_[layer] > 0 && stay(layer); }

  // After a product by rows of a few tokens, for which they were found to be the faster way, or of many.
  // True: they are to leave.
  bool leave_after_few(std::size_t layer) { return leave_after(layer, kFrom); }
  bool leave_after_many(std::size_t layer) { return leave_after(layer, 1); }
  // After one by columns.
  bool leave_after_columns(std::size_t layer);

 private:
  // So many products of many tokens one after another, without one by columns, have them stay, and so many by
  // columns leave.
  static constexpr std::uint8_t kFrom = 8;
  static constexpr std::uint8_t kFor = 100;

  bool stay(std::size_t layer) const { return is_tried(layer) || n_by_rows_[layer] == kFrom; }
  bool leave_after(std::size_t layer, std::uint8_t n_counted);

  bool is_tried_;
  Buffer<std::uint8_t> n_by_rows_;     // [n_layers] products by rows, up to kFrom
  Buffer<std::uint8_t> n_by_columns_;  // [n_layers] by columns since then
};

}  // namespace bitnet
