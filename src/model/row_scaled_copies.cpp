#include "model/row_scaled_copies.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/atomic_extreme.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "model/weight_copies.h"
#include "quant/coded_row.h"
#include "quant/i2_s.h"
#include "quant/row_scaled.h"

namespace bitnet {
namespace {

using quant::Matrix;
using quant::TensorType;

// What it becomes, by where it lies in the file.
struct Copy {
  TensorType type;
  float scale;  // of all its rows, or 1: it comes on top of what the matrix has from outside
};
using Copies = std::map<const std::byte*, Copy>;

// Rows of the scale 0 fit to any.
std::optional<float> common_scale(const Matrix& w) {
  const quant::RowScaledType& type = *quant::info(w.type).row_scaled;
  float common = 0;
  for (std::size_t row = 0; row < w.rows; ++row) {
    const float scale = type.scale_of(w, row);
    if (scale == 0 || scale == common) continue;
    if (common != 0) return std::nullopt;
    common = scale;
  }
  return common;
}

// In blocks the scale of all rows stays outside too: they need not hold it.
Copy copy_for(const Matrix& w) {
  const std::optional<float> common = common_scale(w);
  if (w.cols % quant::i2_s::kGroup == 0 && common) return {TensorType::i2_s, *common};
  return {TensorType::q2_0_64, common.value_or(0) == 0 ? 1.0F : *common};
}

void refuse(const Matrix& w, std::string_view why, std::string_view hint, const gguf::File& file) {
  const auto tensor =
      std::ranges::find(file.tensors(), w.data, [](const gguf::Tensor& t) { return t.extent.data(); });
  throw ModelError(printable(file.name(), kMaxPrintedPath),
                   "tensor " + printable(tensor->name, kMaxPrintedName) + ": " + std::string(why), hint);
}

void fill(const Matrix& from, const Copy& copy, std::byte* to, const gguf::File& file, ThreadPool& pool) {
  Matrix stored = from;
  stored.scale = 1.0F;
  const quant::RowScaledType& type = *quant::info(from.type).row_scaled;
  const std::size_t in_file = type.row_bytes(from.cols);
  const std::size_t in_copy = quant::coded_row_bytes(copy.type, from.cols);
  const std::size_t stretch =
      std::max<std::size_t>(1, kCopyStretch / in_file / type.rows_together) * type.rows_together;
  std::atomic<quant::CodedFit> worst{quant::CodedFit::exact};
  for (std::size_t at = 0; at < from.rows; at += stretch) {
    const std::size_t n = std::min(stretch, from.rows - at);
    pool.parallel_for(
        n, std::max<std::size_t>(1, kCopyBlock / in_file), [&](std::size_t begin, std::size_t end) {
          quant::CodedRow row;
          for (std::size_t r = at + begin; r < at + end; ++r) {
            quant::read_coded_row(stored, r, row);
            keep_most(worst, quant::write_coded_row(row, copy.type, copy.scale, to + r * in_copy));
          }
        });
    file.give_back({from.data + at * in_file, n * in_file});
  }
  if (worst == quant::CodedFit::missing_code)
    refuse(from, quant::reason_of(worst), "the file is damaged", file);
  if (worst != quant::CodedFit::exact) {
    refuse(from,
           "the scales of its rows differ, and are not all numbers of 16 bits, as they would have to be to "
           "multiply it",
           "bitnet convert FILE -o NEW --type q2_0 rounds them, and says by how much", file);
  }
  if (copy.type == TensorType::i2_s) quant::i2_s::write_tail(copy.scale, to + from.rows * in_copy);
}

}  // namespace

void copy_row_scaled(Weights& weights, const gguf::File& file, ThreadPool& pool) {
  // A row of the embedding is looked up where it lies, if it is by itself there.
  const auto is_copied = [&](const Matrix& w) {
    const quant::RowScaledType* const type = quant::info(w.type).row_scaled;
    return type != nullptr && (&w != &weights.token_embd || type->rows_together > 1);
  };
  Copies copies;
  for_each_matrix(weights, [&](Matrix& w) {
    if (!is_copied(w)) return;
    w.scale *= copies.try_emplace(w.data, copy_for(w)).first->second.scale;
    if (!std::isfinite(w.scale))
      refuse(w, "the scale of its rows times its own is not a finite number", "the file is damaged", file);
  });
  weights.row_scaled_copies = copy_matrices(
      weights, {.purpose = "a copy of the weights in a type that is multiplied",
                .is_copied = is_copied,
                .copy_of =
                    [&](const Matrix& from) {
                      Matrix to = from;
                      to.type = copies.at(from.data).type;
                      return to;
                    },
                .fill = [&](const Matrix& from, const Matrix& /*to*/,
                            std::byte* data) { fill(from, copies.at(from.data), data, file, pool); }});
}

}  // namespace bitnet
