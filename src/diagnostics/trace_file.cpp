#include "diagnostics/trace_file.h"

#include <cstring>
#include <utility>

#include "base/printable.h"
#include "bitnet/error.h"
#include "diagnostics/trace_formats.h"

namespace bitnet {
namespace {

// Beyond the widest vocabulary and the longest context.
constexpr std::uint64_t kMaxCols = std::uint64_t{1} << 24;
constexpr std::uint64_t kMaxRows = std::uint64_t{1} << 28;

class TraceView final : public TraceSource {
 public:
  TraceView(const Trace& trace, std::string name) : trace_(trace) {
    name_ = std::move(name);
    info_ = trace.info;
    tensors_ = trace.tensors;
  }
  Rows rows(std::size_t tensor) const override {
    const float* at = trace_.values[tensor].data();
    return [at](std::span<float> row) mutable {
      std::memcpy(row.data(), at, row.size_bytes());
      at += row.size();
    };
  }

 private:
  const Trace& trace_;
};

std::uint64_t product_of(std::span<const std::uint64_t> dims, std::uint64_t most) {
  std::uint64_t product = 1;
  for (const std::uint64_t dim : dims) {
    if (dim == 0) return 0;
    if (dim > most / product) return most + 1;
    product *= dim;
  }
  return product;
}

bool begins_with(std::span<const std::byte> bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

}  // namespace

void TraceSource::add_tensor(const std::string& tensor, std::span<const std::uint64_t> dims) {
  const std::string shown = name_ + ": tensor " + printable(tensor, kMaxPrintedName);
  if (!names_.insert(tensor).second) {
    throw ModelError(shown, "is there twice", "write each once");
  }
  // A batch of one may stand before the positions, heads may have a dimension of their own behind them.
  std::span<const std::uint64_t> inner = dims;
  const std::uint64_t n_ids = info_.ids.size();
  std::size_t n_outer = dims.empty() ? 0 : dims.size() - 1;
  if (n_ids != 0) {
    if (!dims.empty() && dims[0] == n_ids) n_outer = 1;
    if (dims.size() > 2 && dims[0] == 1 && dims[1] == n_ids) n_outer = 2;
  }
  inner = dims.subspan(n_outer);
  const std::uint64_t rows = product_of(dims.first(n_outer), kMaxRows);
  const std::uint64_t cols = product_of(inner, kMaxCols);
  if (rows == 0 || cols == 0) throw ModelError(shown, "has no elements", "leave it out");
  if (rows > kMaxRows || cols > kMaxCols) {
    throw ModelError(shown, "has a shape beyond any model's", "the file is damaged, or no trace");
  }
  tensors_.push_back({tensor, rows, cols});
}

std::unique_ptr<TraceSource> open_trace(const std::string& path) {
  const std::string name = printable(path, kMaxPrintedPath);
  MappedFile file(path);
  const std::span<const std::byte> bytes = file.bytes();
  if (begins_with(bytes, "GGUF")) return open_gguf_trace(path, name);
  if (begins_with(bytes, "PK\x03\x04")) return open_npz_trace(std::move(file), name);
  if (begins_with(bytes, "{")) return open_json_trace(std::move(file), path, name);
  throw ModelError(name, "is no trace: neither .npz, nor .gguf, nor the .json of one",
                   "write one with bitnet trace -o FILE.npz");
}

std::unique_ptr<TraceSource> view_trace(const Trace& trace, std::string name) {
  return std::make_unique<TraceView>(trace, std::move(name));
}

TraceForm trace_form_of(const std::string& path) {
  if (path.ends_with(".npz")) return TraceForm::npz;
  if (path.ends_with(".gguf")) return TraceForm::gguf;
  throw UsageError("'" + path +
                   "' does not say in which form to write the trace; end the name in .npz or .gguf");
}

void write_trace(const Trace& trace, TraceForm form, OutputFile& file) {
  (form == TraceForm::gguf ? write_gguf_trace : write_npz_trace)(trace, file);
}

}  // namespace bitnet
