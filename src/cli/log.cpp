#include "cli/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>

namespace bitnet::cli {

bool no_color() {
  const char* value = std::getenv("NO_COLOR");
  return value != nullptr && *value != '\0';
}

void start_logging() {
  const auto mode = no_color() ? spdlog::color_mode::never : spdlog::color_mode::automatic;
  auto logger = spdlog::stderr_color_st("bitnet", mode);
  logger->set_pattern("%^%l%$: %v");
  logger->set_level(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void set_verbosity(bool quiet, bool verbose) {
  spdlog::set_level(quiet ? spdlog::level::err : verbose ? spdlog::level::debug : spdlog::level::info);
}

void tell(std::string_view line) {
  static const std::unique_ptr<spdlog::logger> logger = [] {
    auto plain = std::make_unique<spdlog::logger>("tell", std::make_shared<spdlog::sinks::stderr_sink_st>());
    plain->set_pattern("%v");
    return plain;
  }();
  logger->info("{}", line);
}

}  // namespace bitnet::cli
