// Traces in their three forms.
#include "base/output_file.h"
#include "bitnet/error.h"
#include "diagnostics/trace_file.h"
#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "support/temp_directory.h"

namespace bitnet::fuzz {
namespace {

void run_trace(std::string_view input) {
  const MemoryFile file(input);
  try {
    const auto trace = open_trace(file.path());
    for (std::size_t i = 0; i < trace->tensors().size(); ++i) {
      const TraceTensor& tensor = trace->tensors()[i];
      require(tensor.rows > 0 && tensor.cols > 0, "a tensor has elements");
      if (tensor.cols > 1U << 20U) continue;  // a refusal at the first row is all there is to see
      std::vector<float> row(tensor.cols);
      const TraceSource::Rows next = trace->rows(i);
      for (std::size_t r = 0; r < std::min<std::size_t>(tensor.rows, 1000); ++r) next(row);
    }
  } catch (const ModelError& e) {
    require(std::string_view(e.what()).find('\n') == std::string_view::npos, "an error of several lines");
  }
}

std::vector<std::string> traces() {
  Trace trace;
  trace.info.ids = {TokenId{1}, TokenId{2}};
  trace.info.greedy = {TokenId{3}};
  trace.info.greedy_margin = {0.5};
  trace.tensors = {{"inp_embd", 2, 3}, {"logits", 2, 4}};
  trace.values = {{1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6, 7, 8}};
  std::vector<std::string> files{
      R"({"ids":[1,2],"tensors":[{"name":"logits","shape":[2,4],"offset":0}],"greedy":[3],"greedy_margin":[0.5]})"};
  for (const TraceForm form : {TraceForm::npz, TraceForm::gguf}) {
    const test::TempDirectory directory;
    const std::string path = directory.file("trace");
    OutputFile file(path);
    write_trace(trace, form, file);
    file.commit();
    files.push_back(test::content_of(path));
  }
  return files;
}

}  // namespace

const Target kTrace{"trace",
                    traces,
                    run_trace,
                    {"<f4", "<f2", "<f8", "<i4", "'fortran_order': True", "'shape': (", "PK\1\2", "PK\3\4",
                     "PK\5\6", "bitnet.trace"},
                    1500};

}  // namespace bitnet::fuzz
