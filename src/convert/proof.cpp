#include "convert/proof.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

#include "base/printable.h"
#include "convert/pieces.h"
#include "convert/row_reader.h"
#include "convert/scan.h"
#include "gguf/gguf.h"
#include "model/tensor_layout.h"
#include "quant/coded_row.h"

namespace bitnet::convert {
namespace {

// Rows of a tensor that are decoded by the reference, beside the last.
constexpr std::uint64_t kSampledRows = 16;

// Sums over a piece.
struct Difference {
  bool is_equal = true;
  double max = 0;
  double squared_error = 0;
  double squared = 0;

  void add(const Difference& other) {
    is_equal &= other.is_equal;
    max = std::max(max, other.max);
    squared_error += other.squared_error;
    squared += other.squared;
  }
  void add(std::span<const float> truth, std::span<const float> found) {
    Difference sums;  // in registers
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const double error = std::fabs(static_cast<double>(found[i]) - static_cast<double>(truth[i]));
      sums.is_equal &= found[i] == truth[i];
      sums.max = std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(sums.max, error);
      sums.squared_error += error * error;
      sums.squared += static_cast<double>(truth[i]) * static_cast<double>(truth[i]);
    }
    add(sums);
  }
  TensorProof result(std::uint64_t n) const {
    if (is_equal) return {};
    const double rms = std::sqrt(squared / static_cast<double>(n));
    const double unit = rms > 0 ? rms : 1;
    return {false, max / unit, std::sqrt(squared_error / static_cast<double>(n)) / unit};
  }
};

bool is_sampled(std::uint64_t row, std::uint64_t rows) {
  if (row == 0 || row + 1 == rows) return true;
  return row * kSampledRows / rows != (row - 1) * kSampledRows / rows;
}

// Rows of the same codes and the same scales; that of a block of zeros counts too.
bool are_same(const quant::CodedRow& a, float a_factor, const quant::CodedRow& b, float b_factor) {
  if (a.codebook != b.codebook || a.words != b.words) return false;
  const std::size_t step = std::min(a.block, b.block);
  if (a.block % step != 0 || b.block % step != 0) return false;
  const std::size_t a_steps = a.block / step;
  const std::size_t b_steps = b.block / step;
  const std::size_t n = (a.cols + step - 1) / step;
  for (std::size_t i = 0; i < n; ++i) {
    if (a.scales[i / a_steps] * a_factor != b.scales[i / b_steps] * b_factor) return false;
  }
  return true;
}

class Prover {
 public:
  Prover(const Source& source, const Plan& plan, const gguf::File& file)
      : source_(source), plan_(plan), file_(file), matrices_(plan.tensors.size()) {}

  // Type, shape and place of every tensor; what is wrong with the first that is wrong.
  std::optional<std::string> find_tensors() {
    const CustomLayouts custom = read_custom_layouts(file_);
    if (file_.tensors().size() != plan_.tensors.size()) return "has another number of tensors";
    for (std::size_t i = 0; i < plan_.tensors.size(); ++i) {
      const TensorPlan& p = plan_.tensors[i];
      const gguf::Tensor& t = file_.tensors()[i];
      const TensorLayout layout = layout_of(file_, t, custom);
      const bool is_right = t.name == p.name && layout.type != nullptr && layout.type->type == p.type &&
                            layout.cols() == p.cols() && layout.rows() == p.rows() &&
                            t.extent.size() >= p.n_bytes();
      if (!is_right) return "tensor " + printable(p.name, kMaxPrintedName) + " is not what was to be written";
      matrices_[i] = {p.type, p.rows(), p.cols(), t.extent.data(), 1.0F};
      matrices_[i].scale = layout.type->tensor_scale(t.extent.data(), p.rows(), p.cols());
    }
    return std::nullopt;
  }

  Difference compare(const Piece& piece) const {
    Difference difference;
    piece.for_ranges([&](RowRange rows) { difference.add(compare(piece.tensor, rows)); });
    const TensorPlan& p = plan_.tensors[piece.tensor];
    if (p.way != Way::factor) give_back_rows(source_, p.source, piece);
    return difference;
  }

 private:
  Difference compare(std::size_t tensor, RowRange rows) const {
    const TensorPlan& p = plan_.tensors[tensor];
    const std::span<const std::byte> here = bytes_of(tensor, rows);
    file_.populate(here);
    Difference difference;
    if (p.way == Way::factor) {
      float found = 0;
      std::memcpy(&found, here.data(), sizeof found);
      difference.add(std::span(&p.factor, 1), std::span(&found, 1));
    } else if (p.way == Way::copy) {
      const std::span<const std::byte> there = stored(tensor, rows);
      difference.is_equal =
          here.size() == there.size() && std::memcmp(here.data(), there.data(), here.size()) == 0;
    } else {
      compare_rows(tensor, rows, difference);
    }
    file_.give_back(here);
    return difference;
  }

  std::span<const std::byte> part(std::span<const std::byte> all, std::size_t tensor, RowRange rows) const {
    const TensorPlan& p = plan_.tensors[tensor];
    const quant::TypeInfo& info = quant::info(p.type);
    const std::uint64_t tail = info.n_bytes(0, p.cols());
    const std::uint64_t row = info.n_bytes(1, p.cols()) - tail;
    const std::uint64_t end = rows.end * row + (rows.end == p.rows() ? tail : 0);
    return all.subspan(rows.begin * row, end - rows.begin * row);
  }
  std::span<const std::byte> bytes_of(std::size_t tensor, RowRange rows) const {
    return part({matrices_[tensor].data, plan_.tensors[tensor].n_bytes()}, tensor, rows);
  }
  std::span<const std::byte> stored(std::size_t tensor, RowRange rows) const {
    return part(source_.stored(plan_.tensors[tensor].source), tensor, rows);
  }

  void compare_rows(std::size_t tensor, RowRange rows, Difference& difference) const {
    const TensorPlan& p = plan_.tensors[tensor];
    const quant::Matrix& w = matrices_[tensor];
    const bool has_codes = p.is_lossless && p.way != Way::values;
    RowReader reader(source_);
    quant::CodedRow truth;
    quant::CodedRow found;
    std::vector<float> truth_values(p.cols());
    std::vector<float> found_values(p.cols());
    quant::Matrix multiplied = w;
    multiplied.scale *= p.factor;
    for (std::uint64_t r = rows.begin; r < rows.end; ++r) {
      const bool is_same = has_codes && reader.read_codes(p, r, truth) &&
                           quant::read_coded_row(w, r, found) &&
                           are_same(truth, p.source_factor, found, p.factor);
      if (is_same && !is_sampled(r, p.rows())) continue;
      reader.read_truth(p, r, truth_values.data());
      quant::info(p.type).decode_row(multiplied, r, found_values.data());
      if (is_same && truth_values == found_values) continue;
      difference.add(truth_values, found_values);
    }
  }

  const Source& source_;
  const Plan& plan_;
  const gguf::File& file_;
  std::vector<quant::Matrix> matrices_;
};

bool has_headers(const gguf::File& file, const Layout& layout) {
  if (file.n_parts() != layout.parts.size()) return false;
  for (std::size_t i = 0; i < layout.parts.size(); ++i) {
    const std::vector<std::byte> header = layout.parts[i].writer.header();
    const std::span<const std::byte> bytes = file.part(i).bytes();
    if (bytes.size() != layout.parts[i].writer.file_size()) return false;
    if (!std::ranges::equal(header, bytes.first(header.size()))) return false;
  }
  return true;
}

}  // namespace

Proof prove(const Source& source, const Plan& plan, const Layout& layout, const gguf::File& file,
            ThreadPool& pool, const Progress& progress) {
  Proof proof;
  if (!has_headers(file, layout)) {
    proof.failure = "the header that is read back is not the one that was written";
    return proof;
  }
  Prover prover(source, plan, file);
  if (const auto failure = prover.find_tensors()) {
    proof.failure = "the file that is read back " + *failure;
    return proof;
  }
  const std::vector<Piece> pieces = pieces_of(source, plan);
  std::vector<Difference> differences(pieces.size());
  for_pieces(
      pieces, pool, [&](const Piece& piece, std::size_t i) { differences[i] = prover.compare(piece); },
      [&](std::size_t n_done) {
        ask([&] {
          return !progress || progress(static_cast<double>(n_done) / static_cast<double>(pieces.size()));
        });
      });
  std::vector<Difference> sums(plan.tensors.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) sums[pieces[i].tensor].add(differences[i]);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const TensorPlan& p = plan.tensors[i];
    proof.tensors.push_back(sums[i].result(p.rows() * p.cols()));
    if (proof.failure || (sums[i].is_equal || (!p.is_lossless && std::isfinite(sums[i].max)))) continue;
    proof.failure = "tensor " + printable(p.name, kMaxPrintedName) +
                    (p.is_lossless ? " does not read back as what it was made of"
                                   : " reads back with values that are not finite");
  }
  return proof;
}

}  // namespace bitnet::convert
