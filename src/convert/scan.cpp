#include "convert/scan.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/half.h"
#include "bitnet/error.h"
#include "convert/absmean.h"
#include "convert/pieces.h"
#include "convert/row_reader.h"

namespace bitnet::convert {
namespace {

bool is_f16(float scale) { return f16_to_f32(f32_to_f16(scale)) == scale; }

std::vector<Piece> pieces_of(const Source& source, const TensorPlan& plan) {
  std::vector<Piece> pieces;
  add_pieces(plan.source, source, plan, pieces);
  return pieces;
}

struct PieceScan {
  quant::CommonScale common;
  bool are_f16 = true;
  quant::CodedFit worst = quant::CodedFit::exact;
};

// Ends the scan, if no row before has a fault.
struct NotCoded {};

void scan(const Source& source, const TensorPlan& plan, const Piece& piece, bool tries_to_write,
          PieceScan& out) {
  RowReader reader(source);
  quant::CodedRow row;
  std::vector<std::byte> written;
  if (tries_to_write) written.resize(quant::coded_row_bytes(plan.type, plan.cols()));
  piece.for_rows([&](std::uint64_t r) {
    if (!reader.read_for_codes(plan, r, row)) throw NotCoded();
    out.common.add(row);
    out.are_f16 &= std::ranges::all_of(row.scales, is_f16);
    if (tries_to_write) {
      out.worst = std::max(out.worst, quant::write_coded_row(row, plan.type, plan.scale, written.data()));
    }
  });
}

}  // namespace

void ask(const KeepGoing& keep_going) {
  if (keep_going && !keep_going()) throw RuntimeError("the conversion was ended by request");
}

void check_rows(const Source& source, std::size_t tensor, const Piece& piece) {
  piece.for_ranges([&](RowRange rows) {
    if (const auto fault = source.check(tensor, rows.begin, rows.end)) refuse_tensor(source, tensor, *fault);
  });
}

void give_back_rows(const Source& source, std::size_t tensor, const Piece& piece) {
  piece.for_ranges([&](RowRange rows) { source.give_back(tensor, rows.begin, rows.end); });
}

ScaleScan scan_scales(const Source& source, const TensorPlan& plan, bool tries_to_write, ThreadPool& pool,
                      const KeepGoing& keep_going) {
  const std::vector<Piece> pieces = pieces_of(source, plan);
  std::vector<PieceScan> found(pieces.size());
  ScaleScan all;
  try {
    for_pieces(
        pieces, pool,
        [&](const Piece& piece, std::size_t i) {
          check_rows(source, plan.source, piece);
          scan(source, plan, piece, tries_to_write, found[i]);
          give_back_rows(source, plan.source, piece);
        },
        [&](std::size_t /*n_done*/) { ask(keep_going); });
  } catch (const NotCoded&) {
    all.is_coded = false;
  }
  quant::CommonScale common;
  for (const PieceScan& piece : found) {
    common.add(piece.common);
    all.are_f16 &= piece.are_f16;
    all.worst = std::max(all.worst, piece.worst);
  }
  if (all.is_coded) all.common = common.value();
  return all;
}

float scan_absmean(const Source& source, const TensorPlan& plan, ThreadPool& pool,
                   const KeepGoing& keep_going) {
  const std::vector<Piece> pieces = pieces_of(source, plan);
  std::vector<double> sums(pieces.size());
  for_pieces(
      pieces, pool,
      [&](const Piece& piece, std::size_t i) {
        check_rows(source, plan.source, piece);
        std::vector<float> values(plan.cols());
        piece.for_rows([&](std::uint64_t r) {
          source.read_values(plan.source, r, values.data());
          sums[i] += sum_of_magnitudes(values);
        });
        give_back_rows(source, plan.source, piece);
      },
      [&](std::size_t) { ask(keep_going); });
  double sum = 0;
  for (const double piece : sums) sum += piece;
  const float scale = absmean_scale(sum, plan.rows() * plan.cols());
  if (!std::isfinite(scale)) refuse_tensor(source, plan.source, "has values that are not finite");
  return scale;
}

}  // namespace bitnet::convert
