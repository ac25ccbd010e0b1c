#include "cli/options/prompt_cache_option.h"

#include <spdlog/fmt/fmt.h>

#include "base/printable.h"
#include "bitnet/error.h"
#include "cli/terminal/log.h"
#include "cli/terminal/memory_use.h"

namespace bitnet::cli {

Option* add_prompt_cache(Command& command, std::optional<std::string>& path) {
  Option* option = command.add_option(
      "--prompt-cache",
      [&path](const std::string& text, const std::string& source) {
        if (text == "-") throw UsageError(source + " -: name a file");
        path = text;
      },
      "Keep the prompt's KV cache here, and begin with it");
  option->type_name("FILE")->group("Machine");
  return option;
}

std::optional<PromptCache> make_prompt_cache(const std::optional<std::string>& path) {
  if (!path) return std::nullopt;
  return std::optional<PromptCache>(std::in_place, *path,
                                    [](const std::string& warning) { log_warn("{}", warning); });
}

void log_prompt_cache(const std::optional<PromptCache>& cache) {
  if (!cache) return;
  const auto log = [&](const PromptCache::Work& work, std::string_view what) {
    if (work.n_tokens == 0) return;
    log_debug("{}: {} tokens, {:.1f} MiB, {} in {:.3f} s", printable(cache->path(), kMaxPrintedPath),
              work.n_tokens, to_mib(work.bytes), what, work.seconds);
  };
  log(cache->loaded(), "read");
  log(cache->saved(), "written");
}

}  // namespace bitnet::cli
