// GGUF files as what is converted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "convert/source.h"

namespace bitnet::convert {

// Opens a file, or all parts of a split one. Throws ModelError for one that is refused, or has a tensor of a
// type that is not read. What there is to say of it is added to `notes`.
std::unique_ptr<Source> open_gguf_source(const std::string& path, const SourceOptions& options,
                                         ThreadPool& pool, std::vector<std::string>& notes);

}  // namespace bitnet::convert
