// Whatever a path names, as what is converted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "convert/source.h"

namespace bitnet::convert {

// A GGUF file, all parts of a split one whichever is named, or a Hugging Face folder. Throws ModelError for
// what is refused. What there is to say of it is added to `notes`.
std::unique_ptr<Source> open_source(const std::string& path, const SourceOptions& options, ThreadPool& pool,
                                    std::vector<std::string>& notes);

}  // namespace bitnet::convert
