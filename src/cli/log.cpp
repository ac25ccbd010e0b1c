#include "cli/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace bitnet::cli {

void start_logging() {
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org: set and not empty
  const bool plain = no_color != nullptr && *no_color != '\0';
  auto logger =
      spdlog::stderr_color_st("bitnet", plain ? spdlog::color_mode::never : spdlog::color_mode::automatic);
  logger->set_pattern("%^%l%$: %v");
  logger->set_level(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void set_verbosity(bool quiet, bool verbose) {
  spdlog::set_level(quiet ? spdlog::level::err : verbose ? spdlog::level::debug : spdlog::level::info);
}

}  // namespace bitnet::cli
