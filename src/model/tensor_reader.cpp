#include "model/tensor_reader.h"

#include <cmath>
#include <cstdint>

#include "base/printable.h"
#include "bitnet/error.h"
#include "model/families/family.h"

namespace bitnet {
namespace {

// "[128, 32]", without dimensions of one behind the last.
std::string shape_of(std::span<const std::uint64_t> dims) {
  while (dims.size() > 1 && dims.back() == 1) dims = dims.first(dims.size() - 1);
  std::string s;
  for (const std::uint64_t d : dims) s.append(s.empty() ? "[" : ", ").append(std::to_string(d));
  return s + "]";
}

}  // namespace

void TensorReader::refuse(std::string_view tensor, std::string_view what, std::string_view hint) const {
  const gguf::Tensor* t = file_.find_tensor(tensor);
  throw ModelError(printable(file_.part(t != nullptr ? t->part : 0).name(), kMaxPrintedPath),
                   "tensor " + printable(tensor, kMaxPrintedName) + ": " + std::string(what), hint);
}

quant::Matrix TensorReader::take(const std::string& name, const std::array<std::uint64_t, 4>& dims) {
  const gguf::Tensor* t = file_.find_tensor(name);
  if (t == nullptr) refuse(name, "missing", "the file is incomplete: convert or download it again");
  const TensorLayout stored = layout(*t);
  if (stored.dims != dims) {
    refuse(name,
           "shape " + shape_of(std::span(stored.dims).first(t->n_dims)) + " where the metadata asks for " +
               shape_of(dims),
           "the file contradicts itself: convert or download it again");
  }
  taken_[static_cast<std::size_t>(t - file_.tensors().data())] = true;
  const std::uint64_t cols = dims[0];
  const std::uint64_t rows = stored.rows();
  const quant::TypeInfo* type = stored.type;
  if (type == nullptr) refuse(name, quant::describe_refused_type(stored_tensor(file_, *t)));
  if (cols % type->block != 0) {
    refuse(name, std::string(type->name) + " rows of " + std::to_string(cols) +
                     " values are not whole blocks of " + std::to_string(type->block));
  }
  const std::uint64_t needed = type->n_bytes(rows, cols);
  if (needed > t->extent.size()) {
    refuse(name,
           "needs " + std::to_string(needed) + " bytes at offset " + std::to_string(t->file_offset) +
               ", but only " + std::to_string(t->extent.size()) + " are there",
           "the file is cut short or damaged: download it again");
  }
  if (reinterpret_cast<std::uintptr_t>(t->extent.data()) % type->alignment != 0) {
    refuse(name, "data at offset " + std::to_string(t->file_offset) + " is not aligned for its type");
  }
  quant::Matrix w{type->type, rows, cols, t->extent.data(), 1.0F};
  w.scale = type->tensor_scale(w.data, rows, cols);
  if (!std::isfinite(w.scale))
    refuse(name, "its scale is not a finite number", "the file is damaged: download it again");
  return w;
}

quant::Matrix TensorReader::matrix(const std::string& name, std::size_t rows, std::size_t cols) {
  return take(name, {cols, rows, 1, 1});
}

quant::Matrix TensorReader::linear(const std::string& stem, std::size_t rows, std::size_t cols) {
  quant::Matrix w = matrix(stem + ".weight", rows, cols);
  const std::string scale = stem + ".scale";
  if (has(scale)) w.scale *= vector(scale, 1)[0];
  if (!std::isfinite(w.scale)) refuse(scale, "times the weight's own scale is not a finite number");
  return w;
}

quant::Matrix TensorReader::stacked(const std::string& stem, std::size_t n, std::size_t rows,
                                    std::size_t cols) {
  return take(stem + ".weight", {cols, rows, n, 1});
}

const float* TensorReader::vector(const std::string& name, std::size_t n) {
  const quant::Matrix w = matrix(name, 1, n);
  if (quant::is_low_bit(w.type)) refuse(name, "a norm or scale cannot be of two bits or less");
  const float* values = reinterpret_cast<const float*>(w.data);
  if (w.type != quant::TensorType::f32) {
    converted.emplace_back(n);
    quant::info(w.type).decode_row(w, 0, converted.back().data());
    values = converted.back().data();
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isfinite(values[i]))
      refuse(name, "value " + std::to_string(i) + " is not a finite number",
             "the file is damaged: download it again");
  }
  return values;
}

void TensorReader::refuse_leftovers() const {
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    if (!taken_[i]) {
      refuse(file_.tensors()[i].name, "has no place in this architecture's graph",
             "ignoring it would give wrong text; use a file made for a supported architecture (" +
                 architecture_names() + ")");
    }
  }
}

}  // namespace bitnet
