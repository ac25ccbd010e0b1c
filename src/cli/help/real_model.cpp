#include "cli/help/real_model.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/options/builtin_model.h"
#include "cli/terminal/log.h"

namespace bitnet::cli {
namespace {

// "microsoft/BitNet-b1.58-2B-4T", "2b-4t", a repository's address: what other programs would download.
bool looks_like_a_name(const std::string& path) {
  if (path.find("://") != std::string::npos) return true;
  if (path.ends_with(".gguf") || path.find_first_of("./~") == 0) return false;
  return std::ranges::count(path, '/') <= 1;
}

}  // namespace

std::string real_model_download() {
  return std::string("curl -fLO https://huggingface.co/") + kRealModelRepository + "/resolve/main/" +
         kRealModelFile;
}

std::string real_model_help() {
  return std::string("A real model:\n") + kRealModelRepository + " on Hugging Face, the file\n" +
         kRealModelFile + ": " + kRealModelSize + ", about 1.2 GiB of memory beside the context.\n  " +
         real_model_download() + "\n  bitnet chat " + kRealModelFile;
}

void say_builtin_model() {
  log_info("no model given: using the {} model; a real one is {} on Hugging Face (see bitnet --help)",
           kBuiltinModelName, kRealModelRepository);
}

void check_model_exists(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR)) return;
  const std::string shown = printable(path, kMaxPrintedPath);
  if (looks_like_a_name(path)) {
    throw ModelError(shown, "no such file, and nothing is downloaded by bitnet itself",
                     "get a model with " + real_model_download() + " and pass -m " + kRealModelFile);
  }
  throw ModelError(shown, "cannot open the file: No such file or directory",
                   "check the path; bitnet --help says where to get a model");
}

}  // namespace bitnet::cli
