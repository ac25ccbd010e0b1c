#include "convert/row_reader.h"

#include <algorithm>

#include "convert/absmean.h"

namespace bitnet::convert {

std::size_t block_to_find(quant::TensorType type, std::uint64_t cols) {
  const quant::CodedType* const coded = quant::info(type).coded;
  const bool has_scales = coded != nullptr && coded->scale_at != quant::CodedType::kNoScale;
  return has_scales ? std::min<std::size_t>(coded->block, cols) : static_cast<std::size_t>(cols);
}

bool RowReader::read_codes(const TensorPlan& plan, std::uint64_t row, quant::CodedRow& out) {
  if (plan.absmean == 0 && source_.read_coded(plan.source, row, out)) return true;
  values_.resize(plan.cols());
  source_.read_values(plan.source, row, values_.data());
  if (plan.absmean == 0) return quant::find_coded_row(values_, block_to_find(plan.type, plan.cols()), out);
  round_to_ternary(values_, plan.absmean, out);
  return true;
}

void RowReader::apply(const TensorPlan& plan, quant::CodedRow& row) const {
  if (plan.in_units) {
    std::ranges::fill(row.scales, 1.0F);
  } else if (plan.row_factor != 1) {
    for (float& scale : row.scales) scale *= plan.row_factor;
  }
}

bool RowReader::read_for_codes(const TensorPlan& plan, std::uint64_t row, quant::CodedRow& out) {
  if (!read_codes(plan, row, out)) return false;
  apply(plan, out);
  return true;
}

void RowReader::read_for_values(const TensorPlan& plan, std::uint64_t row, float* out) {
  if (plan.in_units || plan.absmean != 0) {
    read_codes(plan, row, codes_);
    apply(plan, codes_);
    quant::decode_row(codes_, out);
    return;
  }
  source_.read_values(plan.source, row, out);
  if (plan.row_factor == 1) return;
  for (std::uint64_t i = 0; i < plan.cols(); ++i) out[i] *= plan.row_factor;
}

void RowReader::read_truth(const TensorPlan& plan, std::uint64_t row, float* out) {
  if (source_.tensors()[plan.source].is_master) {
    read_codes(plan, row, codes_);
    quant::decode_row(codes_, out);
  } else {
    source_.read_values(plan.source, row, out);
  }
  if (plan.source_factor == 1) return;
  for (std::uint64_t i = 0; i < plan.cols(); ++i) out[i] *= plan.source_factor;
}

}  // namespace bitnet::convert
