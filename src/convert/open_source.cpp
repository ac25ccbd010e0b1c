#include "convert/open_source.h"

#include <filesystem>
#include <system_error>

#include "base/printable.h"
#include "bitnet/error.h"
#include "convert/gguf_source.h"
#include "convert/huggingface/hf_source.h"

namespace bitnet::convert {

std::unique_ptr<Source> open_source(const std::string& path, const SourceOptions& options, ThreadPool& pool,
                                    std::vector<std::string>& notes) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return open_hf_source(path, {.takes_dense = options.absmean, .hidden_act = options.hidden_act}, notes);
  }
  if (const std::filesystem::path file(path);
      file.extension() == ".safetensors" || file.extension() == ".json") {
    throw ModelError(printable(path, kMaxPrintedPath), "is a file of a Hugging Face folder",
                     "name the folder, which has the configuration and the tokenizer too");
  }
  return open_gguf_source(path, options, pool, notes);
}

}  // namespace bitnet::convert
