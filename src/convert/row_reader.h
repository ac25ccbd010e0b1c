// Rows of a source as a plan wants them.
#pragma once

#include <cstdint>
#include <vector>

#include "convert/plan.h"
#include "convert/source.h"
#include "quant/coded_row.h"

namespace bitnet::convert {

// Elements that share a scale where codes are looked for in floats: those of a block of the type, or all of a
// row where it has one scale for more.
std::size_t block_to_find(quant::TensorType type, std::uint64_t cols);

// Has memory of its own: one for each thread.
class RowReader {
 public:
  explicit RowReader(const Source& source) : source_(source) {}

  // Codes and scales before the plan's row_factor and in_units: of the source, or found in its floats (false
  // where they are not ternary so), or those that the floats are rounded to.
  bool read_codes(const TensorPlan& plan, std::uint64_t row, quant::CodedRow& out);
  // Of Way::codes and Way::rounded: as they are to be written.
  bool read_for_codes(const TensorPlan& plan, std::uint64_t row, quant::CodedRow& out);
  // Of Way::values: as they are to be written. out: [cols]
  void read_for_values(const TensorPlan& plan, std::uint64_t row, float* out);
  // What the source's tensor says, its factor included: what the result is held against. out: [cols]
  void read_truth(const TensorPlan& plan, std::uint64_t row, float* out);

 private:
  void apply(const TensorPlan& plan, quant::CodedRow& row) const;

  const Source& source_;
  std::vector<float> values_;
  quant::CodedRow codes_;
};

}  // namespace bitnet::convert
