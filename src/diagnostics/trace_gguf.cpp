// Traces as GGUF files.
#include <array>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "diagnostics/trace_formats.h"
#include "gguf/gguf.h"
#include "gguf/writer.h"
#include "quant/file_types.h"

namespace bitnet {
namespace {

class GgufTrace final : public TraceSource {
 public:
  GgufTrace(const std::string& path, const std::string& name) : file_(gguf::File::open(path)) {
    name_ = name;
    if (const auto json = file_.get_string(kTraceKey)) {
      info_ = parse_trace_info(*json, name + ": key " + std::string(kTraceKey));
    }
    if (file_.tensors().empty()) throw ModelError(name, "has no tensors", "write the trace again");
    for (const gguf::Tensor& tensor : file_.tensors()) add(tensor);
  }

  Rows rows(std::size_t tensor) const override {
    const quant::Matrix& matrix = matrices_[tensor];
    return [&matrix, i = std::size_t{0}](std::span<float> row) mutable {
      quant::info(matrix.type).decode_row(matrix, i++, row.data());
    };
  }

 private:
  void add(const gguf::Tensor& tensor) {
    const std::string shown = name_ + ": tensor " + printable(tensor.name, kMaxPrintedName);
    const quant::TypeInfo* type = quant::find_type(tensor.type);
    using enum quant::TensorType;
    if (type == nullptr || (type->type != f32 && type->type != f16 && type->type != bf16)) {
      throw ModelError(
          shown, "is neither F32 nor F16 nor BF16",
          file_.find("general.architecture") ? "this is a model: pass it with -m" : "write it as F32");
    }
    std::array<std::uint64_t, 4> dims{};
    for (std::uint32_t i = 0; i < tensor.n_dims; ++i) dims[tensor.n_dims - 1 - i] = tensor.dims[i];
    add_tensor(std::string(tensor.name), std::span(dims).first(tensor.n_dims));
    const TraceTensor& added = tensors_.back();
    if (type->n_bytes(added.rows, added.cols) > tensor.extent.size()) {
      throw ModelError(shown, "reaches beyond the end of the file", "the file was cut off: copy it again");
    }
    matrices_.push_back({type->type, added.rows, added.cols, tensor.extent.data()});
  }

  gguf::File file_;
  std::vector<quant::Matrix> matrices_;
};

}  // namespace

std::unique_ptr<TraceSource> open_gguf_trace(const std::string& path, const std::string& name) {
  return std::make_unique<GgufTrace>(path, name);
}

void write_gguf_trace(const Trace& trace, OutputFile& file) {
  const quant::TypeInfo& f32 = quant::info(quant::TensorType::f32);
  gguf::Writer writer;
  writer.add("general.name", std::string_view("trace"));
  writer.add(kTraceKey, std::string_view(trace_info_json(trace.info)));
  std::vector<std::size_t> numbers;
  for (const TraceTensor& t : trace.tensors) {
    const std::array<std::uint64_t, 2> dims{t.cols, t.rows};
    numbers.push_back(writer.add_tensor(t.name, dims, f32.id, f32.n_bytes(t.rows, t.cols)));
  }
  const std::vector<std::byte> header = writer.header();
  file.write(header);
  std::uint64_t at = header.size();
  const std::vector<std::byte> zeros(gguf::Writer::kDefaultAlignment);
  const auto pad_to = [&](std::uint64_t offset) {
    file.write(std::span(zeros).first(offset - at));
    at = offset;
  };
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    pad_to(writer.data_offset(numbers[i]));
    const auto bytes = std::as_bytes(std::span(trace.values[i]));
    file.write(bytes);
    at += bytes.size();
  }
  pad_to(writer.file_size());
}

}  // namespace bitnet
