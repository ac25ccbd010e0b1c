// Traces in their three forms.
#include "base/output_file.h"
#include "diagnostics/trace_file.h"
#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "support/small_trace.h"
#include "support/temp_directory.h"

namespace bitnet::fuzz {
namespace {

void run_trace(std::string_view input) {
  const MemoryFile file(input);
  read_or_refuse([&] {
    const auto trace = open_trace(file.path());
    for (const TraceTensor& tensor : trace->tensors()) {
      require(tensor.rows > 0 && tensor.cols > 0, "a tensor has elements");
    }
    test::read_values(*trace, {.rows = 1000, .cols = 1U << 20U});
  });
}

std::vector<std::string> traces() {
  const Trace trace = test::small_trace();
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
