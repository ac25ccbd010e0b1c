#include "convert/open_source.h"

#include <filesystem>
#include <system_error>

#include "convert/gguf_source.h"
#include "convert/huggingface/hf_source.h"

namespace bitnet::convert {

std::unique_ptr<Source> open_source(const std::string& path, const SourceOptions& options, ThreadPool& pool,
                                    std::vector<std::string>& notes) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return open_hf_source(path, {.dense_as_masters = options.absmean, .hidden_act = options.hidden_act},
                          notes);
  }
  return open_gguf_source(path, options, pool, notes);
}

}  // namespace bitnet::convert
