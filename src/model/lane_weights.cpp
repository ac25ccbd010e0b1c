#include "model/lane_weights.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>

#include "base/atomic_extreme.h"
#include "base/half.h"
#include "base/printable.h"
#include "bitnet/error.h"
#include "model/weight_copies.h"
#include "quant/lanes.h"

namespace bitnet {
namespace {

using quant::Matrix;
using quant::TensorType;

// One scale for all of a matrix becomes the matrix's own, as it is that of I2_S: equal weights then give the
// same bits in either.
void take_common_scale(const Matrix& from, Matrix& to) {
  const auto d = quant::lanes::scale_of_rows(from);
  const float scale = d ? f16_to_f32(*d) * to.scale : 0.0F;
  if (!d || quant::denominator_of(to.lanes.codebook) != 1 || !std::isfinite(scale)) return;
  to.scale = scale;
  to.lanes.in_units = true;
}

Matrix in_lanes(const Matrix& from, ThreadPool& pool) {
  const quant::CodedType& type = *quant::info(from.type).coded;
  const std::size_t n_blocks = type.blocks_in(from.cols);
  std::atomic<std::size_t> alike{std::bit_ceil(n_blocks)};
  pool.parallel_for(from.rows, std::max<std::size_t>(1, kCopyBlock / type.row_bytes(from.cols)),
                    [&](std::size_t begin, std::size_t end) {
                      keep_least(alike, quant::lanes::blocks_alike(from, begin, end, alike.load()));
                    });
  Matrix to{TensorType::lanes, from.rows, from.cols};
  to.scale = from.scale / quant::denominator_of(type.codebook);
  to.lanes = {type.codebook, static_cast<std::uint32_t>(alike * type.block)};
  if (to.lanes.block >= from.cols) take_common_scale(from, to);
  return to;
}

void copy(const Matrix& from, const Matrix& to, std::byte* data, const gguf::File& file, ThreadPool& pool) {
  const std::size_t group_bytes =
      quant::info(from.type).coded->row_bytes(from.cols) * quant::lanes::kRows;  // in the file
  const std::size_t n_groups = quant::lanes::groups_of(from.rows);
  const std::size_t stretch = std::max<std::size_t>(1, kCopyStretch / group_bytes);
  for (std::size_t at = 0; at < n_groups; at += stretch) {
    const std::size_t n = std::min(stretch, n_groups - at);
    pool.parallel_for(n, std::max<std::size_t>(1, kCopyBlock / group_bytes),
                      [&](std::size_t begin, std::size_t end) {
                        for (std::size_t group = at + begin; group < at + end; ++group)
                          quant::lanes::copy_group(from, group, to, data);
                      });
    const std::size_t first = at * group_bytes;
    file.give_back({from.data + first, std::min(n * group_bytes, quant::n_bytes_of(from) - first)});
  }
}

}  // namespace

void copy_to_lanes(Weights& weights, const gguf::File& file, ThreadPool& pool,
                   const std::function<bool()>& keep_going) {
  const auto go_on = [&] {
    if (!keep_going())
      throw RuntimeError(printable(file.name(), kMaxPrintedPath) + ": loading was ended by request");
  };
  weights.lanes = copy_matrices(
      weights,
      {.purpose = "a copy of the weights in the order of their products",
       .is_copied =
           [&](const Matrix& w) { return quant::info(w.type).coded != nullptr && &w != &weights.token_embd; },
       .copy_of =
           [&](const Matrix& from) {
             go_on();
             return in_lanes(from, pool);
           },
       .fill =
           [&](const Matrix& from, const Matrix& to, std::byte* data) {
             go_on();
             copy(from, to, data, file, pool);
           }});
}

}  // namespace bitnet
