#include "convert/stream.h"

#include <array>
#include <span>
#include <string>
#include <vector>

#include "base/all_finite.h"
#include "convert/pieces.h"
#include "convert/row_reader.h"
#include "convert/scan.h"
#include "quant/coded_row.h"
#include "quant/i2_s.h"

namespace bitnet::convert {
namespace {

class Stream {
 public:
  // Without `out` everything is made and nothing written.
  Stream(const Source& source, const Plan& plan, const Layout* layout, const OutputParts* out)
      : source_(source), plan_(plan), layout_(layout), out_(out) {}

  void write(const Piece& piece) const {
    const TensorPlan& p = plan_.tensors[piece.tensor];
    if (p.way == Way::factor) return write_factor(piece.tensor);
    check_rows(source_, p.source, piece);
    piece.for_ranges([&](RowRange rows) { write_rows(piece.tensor, rows); });
    give_back_rows(source_, p.source, piece);
  }

 private:
  std::uint64_t tail_bytes(const TensorPlan& p) const { return quant::info(p.type).n_bytes(0, p.cols()); }
  std::uint64_t row_bytes(const TensorPlan& p) const {
    return quant::info(p.type).n_bytes(1, p.cols()) - tail_bytes(p);
  }
  void put(std::size_t tensor, RowRange rows, std::span<const std::byte> bytes) const {
    if (out_ == nullptr) return;
    const TensorPlan& p = plan_.tensors[tensor];
    out_->write_at(layout_->places[tensor], rows.begin * row_bytes(p), bytes);
  }

  void write_rows(std::size_t tensor, RowRange rows) const {
    switch (plan_.tensors[tensor].way) {
      case Way::copy:
        return copy(tensor, rows);
      case Way::codes:
      case Way::rounded:
        return write_codes(tensor, rows);
      case Way::values:
        return write_values(tensor, rows);
      case Way::factor:
        break;
    }
  }

  void write_factor(std::size_t tensor) const {
    if (out_ == nullptr) return;
    const std::array factor{plan_.tensors[tensor].factor};
    out_->write_at(layout_->places[tensor], 0, std::as_bytes(std::span(factor)));
  }

  void copy(std::size_t tensor, RowRange rows) const {
    const TensorPlan& p = plan_.tensors[tensor];
    const std::uint64_t n = row_bytes(p);
    const std::uint64_t end = rows.end * n + (rows.end == p.rows() ? tail_bytes(p) : 0);
    put(tensor, rows, source_.stored(p.source).subspan(rows.begin * n, end - rows.begin * n));
  }

  void write_codes(std::size_t tensor, RowRange rows) const {
    const TensorPlan& p = plan_.tensors[tensor];
    const std::size_t n = row_bytes(p);
    const bool is_last = rows.end == p.rows();
    std::vector<std::byte> bytes((rows.end - rows.begin) * n + (is_last ? tail_bytes(p) : 0));
    RowReader reader(source_);
    quant::CodedRow row;
    std::byte* to = bytes.data();
    for (std::uint64_t r = rows.begin; r < rows.end; ++r, to += n) {
      const bool is_coded = reader.read_for_codes(p, r, row);
      const quant::CodedFit fit =
          is_coded ? quant::write_coded_row(row, p.type, p.scale, to) : quant::CodedFit::missing_code;
      const bool fits =
          fit == quant::CodedFit::exact || (fit == quant::CodedFit::rounded_scale && !p.is_lossless);
      if (!fits) refuse_row(p, r, fit);
    }
    if (is_last && tail_bytes(p) > 0) quant::i2_s::write_tail(p.scale, to);
    put(tensor, rows, bytes);
  }

  [[noreturn]] void refuse_row(const TensorPlan& p, std::uint64_t row, quant::CodedFit fit) const {
    refuse_tensor(source_, p.source,
                  "row " + std::to_string(row) + " does not go into " +
                      std::string(quant::info(p.type).name) +
                      " as it is: " + std::string(quant::reason_of(fit)),
                  advice_for(p));
  }

  void write_values(std::size_t tensor, RowRange rows) const {
    const TensorPlan& p = plan_.tensors[tensor];
    const std::size_t n = row_bytes(p);
    std::vector<std::byte> bytes((rows.end - rows.begin) * n);
    RowReader reader(source_);
    std::vector<float> values(p.cols());
    std::byte* to = bytes.data();
    for (std::uint64_t r = rows.begin; r < rows.end; ++r, to += n) {
      reader.read_for_values(p, r, values.data());
      const bool is_finite = all_finite(values);
      if (!is_finite || !quant::info(p.type).encode_row(values.data(), values.size(), to)) {
        refuse_tensor(source_, p.source,
                      "row " + std::to_string(r) + " has a value that is " +
                          (is_finite ? "too large for " + std::string(quant::info(p.type).name)
                                     : std::string("not finite")),
                      is_finite ? "bf16 and f32 hold larger ones" : "");
      }
    }
    put(tensor, rows, bytes);
  }

  const Source& source_;
  const Plan& plan_;
  const Layout* layout_;
  const OutputParts* out_;
};

void stream(const Source& source, const Plan& plan, const Stream& stream, ThreadPool& pool,
            const Progress& progress) {
  const std::vector<Piece> pieces = pieces_of(source, plan);
  for_pieces(
      pieces, pool, [&](const Piece& piece, std::size_t) { stream.write(piece); },
      [&](std::size_t n_done) {
        ask([&] {
          return !progress || progress(static_cast<double>(n_done) / static_cast<double>(pieces.size()));
        });
      });
}

}  // namespace

void write_tensors(const Source& source, const Plan& plan, const Layout& layout, const OutputParts& out,
                   ThreadPool& pool, const Progress& progress) {
  stream(source, plan, Stream(source, plan, &layout, &out), pool, progress);
}

void try_tensors(const Source& source, const Plan& plan, ThreadPool& pool, const Progress& progress) {
  stream(source, plan, Stream(source, plan, nullptr, nullptr), pool, progress);
}

}  // namespace bitnet::convert
