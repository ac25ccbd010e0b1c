// Where a real model comes from: what the compiled-in one is no stand-in for.
#pragma once

#include <string>

namespace bitnet::cli {

inline constexpr const char* kRealModelRepository = "microsoft/BitNet-b1.58-2B-4T-gguf";
inline constexpr const char* kRealModelFile = "ggml-model-i2_s.gguf";
inline constexpr const char* kRealModelSize = "1.19 GB";

// The command that downloads it.
std::string real_model_download();
// For the help: the repository, the file, its size, what it takes in memory, and the command.
std::string real_model_help();

// Says on stderr that no model was given, which one runs instead, and where a real one is.
void say_builtin_model();

// Refuses a name that is no file, with the way to a model: a path that does not exist, or the name of a
// repository. What else may be wrong with the file is told by whoever opens it. Throws ModelError.
void check_model_exists(const std::string& path);

}  // namespace bitnet::cli
