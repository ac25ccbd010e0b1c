#include "cli/prompt_input.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/printable.h"
#include "bitnet/error.h"

namespace bitnet::cli {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

}  // namespace

std::string read_prompt_file(const std::string& path) {
  const bool is_stdin = path == "-";
  const std::string where = is_stdin ? "stdin" : printable(path, kMaxPrintedPath);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(
      is_stdin ? nullptr : std::fopen(path.c_str(), "rbe"), [](std::FILE* f) { return std::fclose(f); });
  std::FILE* file = is_stdin ? stdin : opened.get();
  if (file == nullptr)
    throw ModelError(where, std::string("cannot open the prompt: ") + std::strerror(errno));
  std::string text;
  char block[65536];
  while (const std::size_t n = std::fread(block, 1, sizeof block, file)) {
    text.append(block, n);
    if (text.size() > kMaxBytes)
      throw ModelError(where, "the prompt is larger than 64 MiB", "pass a shorter one");
  }
  if (std::ferror(file) != 0)
    throw ModelError(where, std::string("cannot read the prompt: ") + std::strerror(errno));
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace bitnet::cli
